"""What the gates between turns already see to."""

from __future__ import annotations

from cm2dsl import ir


def gated(task: ir.Task, scope: str, awaited: str) -> bool:
    """Whether a scope is reached only where an item, by its full name, is satisfied.

    So it is of a turn and of a strict item of an earlier one. Task scope is there from the start.
    """
    names = [turn.name for turn in task.turns]
    earlier, _, name = awaited.partition(".")
    if scope not in names or earlier not in names[: names.index(scope)]:
        return False
    items = task.turns[names.index(earlier)].items
    return any(item.name == name and item.strict for item in items)
