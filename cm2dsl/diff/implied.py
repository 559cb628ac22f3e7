"""Which verdicts hold wherever another does: `exactly 1 time` implies `at_most 1 time`.

A verdict implies another of its scope if its check does after every step, and the kinds allow it:
what always holds holds at the end, and what holds at the end holds once. `item` implies `at_end`
where a check that has come true stays so. What a judge decides implies nothing, and is implied by
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cm2dsl import ir
from cm2dsl.diff.deciders import Decider
from cm2dsl.lint.implies import counts, implies, narrower
from cm2dsl.lint.truth import follows

RANK = {"item": 0, "at_end": 1, "always": 2}
"""The kinds by how much they ask of one check. `never` is an `always` of the opposite."""


def holds_with(one: Decider, other: Decider) -> bool:
    """Whether `other` holds wherever `one` does, and no later. False where that is not known."""
    if one.said is None or other.said is None or one.prompt or other.prompt:
        return False
    if not _related(one.said, other.said) or not follows(one.said, other.said):
        return False
    if RANK[one.kind] >= RANK[other.kind]:
        return True
    stays = _stays(one.said) or _stays(other.said)
    return (one.kind, other.kind) == ("item", "at_end") and stays


def direction(pairs: Iterable[tuple[Decider, Decider]]) -> str:
    """In words, which way the verdict of an item went, in each of its rows; empty with a judge."""
    found: set[tuple[bool, bool]] = set()
    for one, other in pairs:
        if one.said is None or other.said is None or one.prompt or other.prompt:
            return ""
        found.add((holds_with(one, other), holds_with(other, one)))
    if found == {(True, True)}:
        return "B holds where A does, and nowhere else"
    if all(looser for looser, _ in found):
        return "B is looser: it holds wherever A does"
    if all(stricter for _, stricter in found):
        return "B is stricter: it holds only where A does"
    return "B is neither looser nor stricter, by its form: either may hold where the other does not"


def implications(known: Mapping[tuple[int, Decider], int]) -> frozenset[tuple[int, int]]:
    """Pairs of variables, the second one of which holds with the first, through others too.

    `known` has the variables of the scopes' deciders.
    """
    scopes: dict[int, list[tuple[Decider, int]]] = {}
    for (scope, one), variable in known.items():
        if one.said is not None and not one.prompt:
            scopes.setdefault(scope, []).append((one, variable))
    found: dict[int, set[int]] = {}
    for own in scopes.values():
        for one, variable in own:
            found[variable] = {
                number for other, number in own if number != variable and holds_with(one, other)
            }
    for middle in found:
        for others in found.values():
            if middle in others:
                others |= found[middle]
    return frozenset((a, b) for a, others in found.items() for b in others if a != b)


def _related(one: ir.Check, other: ir.Check) -> bool:
    """Whether their parts have to do with each other. Others may only by being constant."""
    return any(
        narrower(part, each) or narrower(each, part)
        if isinstance(part, ir.Called) and isinstance(each, ir.Called)
        else implies(part, each) or implies(each, part)
        for part in _parts(one)
        for each in _parts(other)
    )


def _parts(check: ir.Check) -> Iterator[ir.Check]:
    """What a check asks of: patterns of calls, and what is said."""
    match check:
        case ir.And() | ir.Or():
            for part in check.of:
                yield from _parts(part)
        case ir.Not():
            yield from _parts(check.of)
        case ir.Before():
            yield check.first
        case ir.Result() | ir.ReplyMentions():
            yield check.call
        case _:
            yield check


def _stays(check: ir.Check) -> bool:
    """Whether the check goes on being true once it is."""
    match check:
        case ir.And() | ir.Or():
            return all(map(_stays, check.of))
        case ir.Called():
            return counts(check)[1] is None
        case ir.Replied():
            return False
        case ir.Not():
            return False
    return True
