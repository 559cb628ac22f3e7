"""The scopes of a task: its turns, and the task itself. No rule: rules share it."""

from __future__ import annotations

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE


def scopes_of(task: ir.Task) -> dict[str, tuple[ir.Item, ...]]:
    """The items of every turn by its name, in order, and those of the task scope last."""
    return {turn.name: turn.items for turn in task.turns} | {DIALOGUE: task.items}
