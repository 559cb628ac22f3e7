"""Which dialogues can tell two versions of a scope apart."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from cm2dsl.diff.forms import Form, needed
from cm2dsl.diff.search import Space, longest_chain, waited_for
from cm2dsl.diff.table import Side, Table


def gates_before(table: Table, side: Side, scope: int) -> set[int]:
    """The variables that must hold for a turn to be reached, or the dialogue to have all turns."""
    last = min(scope, table.turns - 1)
    return {one for t in range(last) for one in side.gates.get(t, ())}


def spaces_of(
    table: Table, scope: int, relevant: Set[int], forced: Set[int], times: int = 1
) -> list[Space]:
    """The dialogues that reach a scope, with the gates on the way that both versions have open.

    `times`: a turn may be so many times as long as its longest chain.
    """
    whole = scope == table.turns
    opens = [gates_before(table, side, scope) for side in table.sides]
    common, split = opens[0] & opens[1], opens[0] ^ opens[1]
    used = relevant | forced
    turns = {table.variables[one].scope for one in used}
    counts = [scope + 1]
    if whole:
        # Where the dialogue ends does not matter unless the versions end it apart; but what is
        # decided when a turn ends needs another turn for anything to come after it.
        last = max((t for t in turns if t < table.turns), default=0)
        counts = [*range(1, table.turns + 1)] if split else [last + 1]
        if not split and 1 < last + 2 <= table.turns:
            counts.append(last + 2)
    spaces = []
    for count in counts:
        passed = {one for one in common | split if table.variables[one].scope < count - 1}
        kept = {one for one, variable in enumerate(table.variables) if variable.kept}
        # What has no bearing is as it usually is.
        usual = kept - relevant - forced - (passed & split)
        held = {one for one in forced | usual if in_turns(table, one, count)} | passed & common
        free = ({one for one in relevant if in_turns(table, one, count)} | passed & split) - held
        longest = []
        for t in range(count):
            longer = t in turns or t == scope or (whole and t == count - 1)
            chain = longest_chain(table, scope if whole else t) if longer else 1
            longest.append(chain * (times if longer and (whole or t == scope) else 1))
        timed = waited_for(table, scope)
        if times > 1:
            timed |= {one for one in used if table.variables[one].scope == scope}
        spaces.append(
            Space(tuple(longest), tuple(sorted(held)), tuple(sorted(free)), frozenset(timed))
        )
    return spaces


def guesses_of(
    table: Table, scope: int, cone: set[Form], roles: set[int], forced: set[int]
) -> list[Space]:
    """A few dialogues among which a difference is likely: with what one item needs, at once."""
    return [
        replace(space, timed=frozenset(), needs=(own,))
        for own in needed(cone)
        for space in spaces_of(table, scope, own | roles, forced)
    ]


def in_turns(table: Table, variable: int, count: int) -> bool:
    scope = table.variables[variable].scope
    return scope < count or scope == table.turns
