"""Step credit of two versions compared: groups of two rollouts, in order of size.

What a rollout gets at a step depends on what is open there and on what flipped in the end; what its
partner adds, on what flipped in the partner. So rollouts are told apart by a profile, the smallest
of each kind is kept, and profiles are put in pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby

from cm2dsl.diff.forms import needed, open_shares, shares, unequal, variables
from cm2dsl.diff.search import WORK, Space, dialogues, rows
from cm2dsl.diff.spaces import gates_before, spaces_of
from cm2dsl.diff.table import CLOSE, NEVER, Dialogue, Table, outcome
from cm2dsl.diff.verdicts import (
    BOUND,
    LIKELY,
    REFINED,
    SAME,
    Finding,
    doubted,
    joined,
    size,
)

Flips = tuple[tuple[bool, ...], tuple[bool, ...]]
Open = tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]]
"""In each version: the items that are open at a step, by place, with their shares of what is."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A rollout as step credit sees it."""

    flips: Flips
    steps: frozenset[Open]


def step(table: Table, bound: int = BOUND) -> Finding:
    """Whether A_s is the same at every step of every group."""
    return joined([_scope(table, t, bound) for t in range(table.turns + 1)])


def _scope(table: Table, scope: int, bound: int) -> Finding:
    at = [scope in side.at for side in table.sides]
    worth = [open_shares(table, n, scope) if at[n] else {} for n in (0, 1)]
    gates = [gates_before(table, side, scope) for side in table.sides]
    if not any(worth) or (gates[0] == gates[1] and not unequal(worth[0], worth[1])):
        return SAME
    everything = {form for n in (0, 1) for form in shares(table, n, scope)}
    others = unequal(worth[0], worth[1]) or everything
    spaces = spaces_of(table, scope, variables(everything), set(), times=2)
    guesses = [
        replace(space, timed=frozenset(), needs=(own,))
        for own in needed(others)[:LIKELY]
        for beside in needed(everything)[:LIKELY]
        for space in spaces_of(table, scope, own | beside, set())
    ]
    found = _search(table, scope, spaces, bound, _search(table, scope, guesses, REFINED))
    return doubted(table, found) if scope == table.turns and gates[0] != gates[1] else found


def _search(
    table: Table, scope: int, spaces: Sequence[Space], bound: int, guess: Finding | None = None
) -> Finding:
    """The first group of two that is credited otherwise.

    Where `guess` has one, only smaller ones are looked for, and not for long.
    """
    known = guess.group if guess is not None else ()
    limit = REFINED if known else bound
    kept: dict[Profile, Dialogue] = {}
    partners: dict[Flips, Dialogue] = {}
    of = rows(table, spaces)
    tried = 0
    work = WORK // 8 if known or guess is None else WORK
    # Nothing is as large as the end of what is tried.
    sized = groupby(dialogues(table, spaces, work), key=lambda one: one.size if one else None)
    for of_size, same_size in sized:
        if of_size is None:
            return Finding("differs" if known else "unknown", known, tried, of)
        if known and of_size > max(one.size for one in known):
            return Finding("differs", known, tried, of)
        old = set(kept), set(partners)
        for dialogue in same_size:
            assert dialogue is not None
            tried += 1
            if tried > limit:
                return Finding("differs" if known else "unknown", known, limit, of)
            profile = _profile(table, scope, dialogue)
            kept.setdefault(profile, dialogue)
            partners.setdefault(profile.flips, dialogue)
        pairs = sorted(_differing(kept, partners, old), key=size)
        if pairs:
            smallest = min(pairs[0], known or pairs[0], key=size)
            return Finding("differs", smallest, tried, of)
    return Finding("differs" if known else "same", known, tried, of)


def _profile(table: Table, scope: int, dialogue: Dialogue) -> Profile:
    """Places count the items of the scope that carry reward."""
    flips: list[tuple[bool, ...]] = []
    opened: list[list[tuple[tuple[int, float], ...]]] = []
    for number, side in enumerate(table.sides):
        found = outcome(table, number, dialogue)
        own = [
            (found.windows[index], node.weight)
            for index, node in enumerate(side.nodes)
            if side.scope[index] == scope and scope in side.at and node.weight > 0
        ]
        flips.append(tuple(flip < NEVER for (_, flip), _ in own))
        opened.append([_open(own, s) for s in range(found.steps)])
    longest = max(len(opened[0]), len(opened[1]))
    padded = [[*steps, *([()] * (longest - len(steps)))] for steps in opened]
    return Profile((flips[0], flips[1]), frozenset(zip(*padded, strict=True)))


def _open(own: list[tuple[tuple[int, int], float]], s: int) -> tuple[tuple[int, float], ...]:
    found = [(i, weight) for i, ((ready, flip), weight) in enumerate(own) if ready <= s <= flip]
    total = sum(weight for _, weight in found)
    return tuple((i, weight / total) for i, weight in found)


def _differing(
    kept: Mapping[Profile, Dialogue],
    partners: Mapping[Flips, Dialogue],
    old: tuple[Set[Profile], Set[Flips]],
) -> Iterator[tuple[Dialogue, Dialogue]]:
    """Pairs whose first rollout is credited otherwise; those of two old ones have been tried."""
    for profile, dialogue in kept.items():
        for flips, partner in partners.items():
            if profile in old[0] and flips in old[1]:
                continue
            if any(abs(_apart(profile.flips, flips, opened)) > CLOSE for opened in profile.steps):
                yield dialogue, partner


def _apart(own: Flips, other: Flips, opened: Open) -> float:
    """Twice the difference of A_s between the versions, in a group of the two."""
    before, after = (
        sum(share * (own[n][i] - other[n][i]) for i, share in opened[n]) for n in (0, 1)
    )
    return before - after
