"""Checks applied to the facts of a dialogue."""

from __future__ import annotations

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.reward.instance import Check
from cm2dsl.reward.verdict import Decision, Evidence, Verdict
from cm2dsl.scope import Matched, Scope

CHECK = "check"


class Settled(Struct):
    """What a check decided about one item.

    `holds` from step `step` of the scope on, or not at all. The evidence is what matched in the
    scope, `found`, up to and with step `last`.
    """

    holds: bool
    step: int | None
    last: int
    found: list[Matched]
    scope: Scope

    @property
    def segments(self) -> list[str]:
        """The names of the segments that matched."""
        return self.scope.evidence(self.found, self.last)

    @property
    def decision(self) -> Decision:
        verdict = Verdict.PASS if self.holds else Verdict.FAIL
        return Decision(verdict, CHECK, tuple(Evidence(name) for name in self.segments), self.step)


def settle(kind: ir.Kind, check: Check, scope: Scope, row: ir.Row | None) -> Settled | None:
    """What the check decides, or None where it leaves the item to the judge.

    The check says after which steps it is true (and, where the item has a judge too, after which it
    is false). `item` holds from the first step at which it is true; `always`, `never` and `at_end`
    hold, if they do, from the scope's last step. In a scope without a step nothing holds.
    """
    found: list[Matched] = []
    scope.found = found
    last = scope.steps - 1
    if last < 0:
        return Settled(False, None, last, found, scope)
    value = check(scope, row)
    if isinstance(value, int):
        true = value & scope.all
        false = scope.all ^ true
    else:
        true, false = value[0] & scope.all, value[1] & scope.all
    if kind == "item":
        if true:
            first = _first(true)
            return Settled(True, first, first, found, scope)
        return Settled(False, None, last, found, scope) if false == scope.all else None
    if kind == "at_end":
        if true >> last & 1:
            return Settled(True, last, last, found, scope)
        return Settled(False, None, last, found, scope) if false >> last & 1 else None
    broken = false if kind == "always" else true
    if broken:
        return Settled(False, None, _first(broken), found, scope)
    return Settled(True, last, last, found, scope) if true | false == scope.all else None


def _first(steps: int) -> int:
    """The first step of a set of steps, which is not empty."""
    return (steps & -steps).bit_length() - 1
