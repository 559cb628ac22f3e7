"""Who earns what, in words. No rule: rules share it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cm2dsl.floor.earn import Earned, Floor
from cm2dsl.floor.policies import Policy

SHOWN = 4
"""Items that a message names; of more it says how many."""


def policies_text(earned: Iterable[Earned]) -> str:
    """What these policies do: `does nothing, refuses or greets`."""
    return any_of([one.policy for one in earned])


def any_of(policies: Sequence[Policy]) -> str:
    """What these policies do, in one sentence."""
    *first, last = [one.does for one in policies]
    return f"{', '.join(first)} or {last}" if first else last


def items_text(earned: Earned) -> str:
    """The items that paid, and whether it takes a judge that is not there."""
    names = [f"`{name}`" for name in earned.items]
    shown = ", ".join(names[:SHOWN])
    if len(names) > SHOWN:
        shown += f" and {len(names) - SHOWN} more"
    unjudged = (earned.unjudged or 0.0) > (earned.failed or 0.0)
    return f"{shown} (without a judge)" if unjudged else shown


def rows_text(floor: Floor, earned: Earned) -> str:
    """Which row it was, where not all rows were played."""
    if floor.task.rows is None or floor.rows == 1:
        return ""
    key = earned.instance.partition("/")[2]
    some = f"{floor.tried} of its {floor.rows}" if floor.tried < floor.rows else f"its {floor.rows}"
    return f" in row `{key}`, the most of {some} rows"
