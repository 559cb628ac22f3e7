"""What of one version of a task corresponds to what of the other: turns, rows, items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cm2dsl import ir
from cm2dsl.diff.items import match_items
from cm2dsl.diff.match import Matched
from cm2dsl.diff.tables import scopes_of


@dataclass(frozen=True)
class ScopePair:
    """A scope in both versions, its items matched."""

    before: str
    after: str
    items: Matched[ir.Item]


def scope_pairs(before: ir.Task, after: ir.Task) -> list[ScopePair]:
    """The scopes of two versions that have the same turns."""
    return [
        ScopePair(old[0], new[0], match_items(old[1], new[1]))
        for old, new in zip(scopes_of(before), scopes_of(after), strict=True)
    ]


def match_turns(before: ir.Task, after: ir.Task) -> list[tuple[ir.Turn, ir.Turn]] | None:
    """The turns in pairs, or None where dialogues have other turns than they had."""
    if (before.simulated is None) != (after.simulated is None):
        return None
    if len(before.turns) != len(after.turns):
        return None
    old, new = ([turn.name for turn in task.turns] for task in (before, after))
    if (
        old != new
        and set(old) & set(new)
        and [n for n in old if n in new] != [n for n in new if n in old]
    ):
        return None  # their order is another
    pairs = list(zip(before.turns, after.turns, strict=True))
    for one, other in pairs:
        if one.name != other.name and (one.name in new or other.name in old):
            return None
        # A turn under another name is the same if it says the same, or asks much the same.
        alike = match_items(one.items, other.items).pairs
        same = one.user == other.user or len(alike) * 2 >= max(len(one.items), len(other.items), 1)
        if one.name != other.name and not same:
            return None
    return pairs


Rows = Sequence[tuple[ir.Row | None, ir.Row | None]]


def common_rows(before: ir.Task, after: ir.Task) -> Rows:
    """The rows of both versions; one pair of None where a task has no rows."""
    if before.rows is None or after.rows is None:
        return [(None, None)]
    new = {row.key: row for row in after.rows}
    return [(row, new[row.key]) for row in before.rows if row.key in new]
