"""The step at which a check decided, or last left open, and what its parts were then."""

from __future__ import annotations

from cm2dsl import ir
from cm2dsl.reward.card import Outcome
from cm2dsl.reward.decide import Settled
from cm2dsl.reward.verdict import Decision
from cm2dsl.scope import Scope
from cm2dsl.testing.parts import Part
from cm2dsl.testing.play import JUDGE, NOBODY


def decisive(outcome: Outcome, check: Part, scope: Scope, row: ir.Row | None) -> int | None:
    """The step of the scope; None where there is none.

    Where the check decided, it is the step at which it did: the first at which an `item` holds, or
    an `always` or `never` does not, and else the last. Where it left the item to a judge, it is
    the last step after which it is undecided.
    """
    if isinstance(outcome, Settled):
        return outcome.last if outcome.last >= 0 else None
    if not (isinstance(outcome, Decision) and outcome.by in (JUDGE, NOBODY)) or not scope.steps:
        return None
    true, false = check.steps(scope, row)
    return (scope.all & ~true & ~false).bit_length() - 1
