"""Canonical forms of items: equal forms flip at the same step in every dialogue.

Within a turn, let since(v) be the step from which verdict v holds. An item c with the verdict v and
the parents P flips at max(since(v), 1 + max of the flips of P), if that is a step of the turn; so

    flip(c) = max over c and all ancestors a in the turn of since(v_a) + (longest chain from a to c)

and c is ready one step after the latest of its parents. The pairs (v_a, longest chain) are the
`chain` of a form: which edges of `after` made them is of no account, and an edge beside a longer
way drops out. It is sound to drop it, for every v(s) and not only for verdicts that go on holding:
if c waits for a and b, and b for a, then b flips at least one step after a, and b alone says when c
is ready. What c waits for in earlier turns counts only by whether it flipped, since every step
there is before every step here: those are its `waits`, without those that another one implies. In
the task scope steps count over the whole dialogue, so a turn's items are in the chain too.

An item that waits for one that can hold from the last step alone can never flip; it has no form.
The same goes for an item of the task scope that waits for such a one of the last turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cm2dsl.diff.table import CLOSE, Side, Table

Shares = Mapping["Form", float]


@dataclass(frozen=True, slots=True)
class Form:
    """When an item flips. `chain` has (variable, steps that its holding must precede the flip)."""

    scope: int
    chain: frozenset[tuple[int, int]]
    waits: frozenset[Form]


@lru_cache(maxsize=16)
def forms(table: Table, number: int) -> tuple[Form | None, ...]:
    """The form of every node of version 0 or 1; None for those that never flip."""
    side = table.sides[number]
    found: dict[int, Form | None] = {}
    for index in side.order:
        found[index] = _form(table, side, index, found)
    return tuple(found[index] for index in range(len(side.nodes)))


def _form(table: Table, side: Side, index: int, found: Mapping[int, Form | None]) -> Form | None:
    scope = side.scope[index]
    chain: dict[int, int] = {side.nodes[index].variable: 0}
    waits: set[Form] = set()
    for other in side.nodes[index].after:
        form = found[other]
        inside = side.scope[other] == scope
        # Nothing comes after the last step of a scope, and in the task scope of the last turn.
        at_last = inside or (side.scope[other] == table.turns - 1 and scope == table.turns)
        if form is None or (at_last and table.variables[side.nodes[other].variable].closed):
            return None
        if inside:
            waits |= form.waits
        else:
            waits.add(form)
        if inside or scope == table.turns:
            for variable, steps in form.chain:
                chain[variable] = max(chain.get(variable, 0), steps + 1)
    return Form(scope, frozenset(chain.items()), _needed(waits))


def _needed(waits: set[Form]) -> frozenset[Form]:
    """The forms without those that another one implies."""
    kept = set(waits)
    for one in waits:
        if any(_implies(other, one) for other in kept if other != one):
            kept.discard(one)
    return frozenset(kept)


def _implies(one: Form, other: Form) -> bool:
    """Whether `other` has flipped in its turn wherever `one` has in its own."""
    if any(_implies(wait, other) for wait in one.waits):
        return True
    return (
        one.scope == other.scope
        and _covers(one, other, 0)
        and all(any(_implies(mine, wait) for mine in one.waits) for wait in other.waits)
    )


@lru_cache(maxsize=4096)
def _steps(chain: frozenset[tuple[int, int]]) -> Mapping[int, int]:
    return dict(chain)


def _covers(one: Form, other: Form, more: int) -> bool:
    """Whether all in the chain of `other` is in that of `one`, by `more` steps earlier."""
    chain = _steps(one.chain)
    return all(chain.get(variable, -1) >= steps + more for variable, steps in other.chain)


def variables(found: Iterable[Form]) -> set[int]:
    """Every variable that forms have to do with."""
    return {variable for form in found for variable in _variables(form)}


def needed(found: Iterable[Form]) -> list[frozenset[int]]:
    """The variables of each form, the fewest first, in an order that is the same in every run."""
    return sorted(
        {frozenset(_variables(form)) for form in found}, key=lambda own: (len(own), sorted(own))
    )


def _variables(form: Form) -> Iterator[int]:
    yield from (variable for variable, _ in form.chain)
    for wait in form.waits:
        yield from _variables(wait)


def shares(table: Table, number: int, scope: int) -> Shares:
    """What each form of a scope is worth. Items that flip together are one."""
    side = table.sides[number]
    found: dict[Form, float] = {}
    for index, form in enumerate(forms(table, number)):
        if form is not None and form.scope == scope and side.nodes[index].weight > 0:
            found[form] = found.get(form, 0.0) + side.nodes[index].weight
    return found


def open_shares(table: Table, number: int, scope: int) -> Shares:
    """The shares as step credit sees them: within each set of forms that may be open together.

    If c comes before d, then d is ready only after c has flipped, and they are never both open. So
    only forms of which neither comes before the other are weighed against each other, and weights
    count within a connected part of those alone: along a chain they are of no account.
    """
    worth = shares(table, number, scope)
    left = set(worth)
    found: dict[Form, float] = {}
    while left:
        part: set[Form] = set()
        edge = {left.pop()}
        while edge:
            part |= edge
            edge = {one for one in left if any(_beside(one, other) for other in edge)}
            left -= edge
        total = sum(worth[one] for one in part)
        found |= {one: worth[one] / total for one in part}
    return found


def _beside(one: Form, other: Form) -> bool:
    return not (_covers(one, other, 1) or _covers(other, one, 1))


def unequal(before: Shares, after: Shares, scale: tuple[float, float] = (1, 1)) -> set[Form]:
    """The forms whose shares, scaled, are not the same in both versions."""
    return {
        form
        for form in {*before, *after}
        if abs(before.get(form, 0.0) * scale[0] - after.get(form, 0.0) * scale[1]) > CLOSE
    }
