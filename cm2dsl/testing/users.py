"""Whether the user of a dialogue is the one of its task: what is said, and how often."""

from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.checks import fold
from cm2dsl.report.words import counted
from cm2dsl.testing.columns import shortened
from cm2dsl.trajectory import Trajectory

LONGEST = 60
"""Characters of what a user says that are shown."""


def strangers(dialogue: Trajectory, task: ir.Task, row: ir.Row | None) -> Iterator[tuple[str, str]]:
    """What of a dialogue is said by another user than the task's: a message and its help each.

    White space, case and the width of letters do not count. Of a simulated user it is not known
    what it says, or how often.
    """
    if task.simulated is not None:
        return
    for turn, held in zip(task.turns, dialogue.turns, strict=False):
        wanted = ir.fill(turn.user, row)
        if fold(held.user) != fold(wanted):
            said, meant = shortened(held.user, LONGEST), shortened(wanted, LONGEST)
            message = f"in turn `{turn.name}` the user says `{said}`, and in the task `{meant}`"
            yield message, "is it a dialogue of this task? if the task has changed, record it anew"
            break
    spoken, turns = len(dialogue.turns), len(task.turns)
    if spoken > turns:
        message = f"the user speaks {counted(spoken, 'time')}, and in `{task.name}` "
        message += f"{counted(turns, 'time')}: the rest is not scored"
        yield message, "is it a dialogue of this task? if it is, end it where the task ends"
