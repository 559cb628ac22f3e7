"""A dialogue with every verdict that those in it imply.

Nothing is lost by searching these alone. A dialogue that there may be has all that its verdicts
imply; one with a verdict less that is of no account comes to the same, and so does the one closed
again, which is between the two.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from cm2dsl.diff.table import Dialogue, Table


def closed(table: Table, dialogue: Dialogue, timed: Set[int]) -> Dialogue:
    """The dialogue, closed. Verdicts that are not `timed` may hold as late as others need.

    No verdict holds later than one that implies it.
    """
    since = dict(dialogue.since)
    events = dialogue.events
    again = True
    while again:
        again = False
        for one, other in sorted(table.implied):
            if one not in since:
                continue
            if other not in since:
                since[other] = _latest(table, dialogue, one, since[one])
                events += -1 if table.variables[other].kept else 1
                again = True
            elif table.variables[other].closed:
                continue
            elif (latest := _latest(table, dialogue, one, since[one])) < since[other]:
                again = True
                if one in timed or table.variables[one].closed:
                    since[other] = latest
                else:
                    since[one] = since[other]
    return replace(dialogue, since=since, events=events) if since != dialogue.since else dialogue


def _latest(table: Table, dialogue: Dialogue, variable: int, since: int) -> int:
    """The step of its scope at which what a verdict implies holds at the latest."""
    one = table.variables[variable]
    if one.kept:
        return 0
    if not one.closed:
        return since
    lengths = dialogue.lengths
    return (lengths[one.scope] if one.scope < table.turns else sum(lengths)) - 1
