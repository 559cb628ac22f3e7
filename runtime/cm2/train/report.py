"""Two evaluations side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cm2.table import table


def comparison(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """A table of two summaries: the whole, the tasks, and the items of each task."""
    sides = (before, after)
    rows = [_row("reward", before["reward"], after["reward"])]
    rows.append(_row("well-formed endings", before["well_formed"], after["well_formed"]))
    if before["masked"] or after["masked"]:
        masked, then = (f"{one['masked']} of {one['rollouts']}" for one in sides)
        rows.append(("masked", masked, then, ""))
    for task in _names("tasks", sides):
        rows.append(("", "", "", ""))
        rows.append(_row(task, *(one["tasks"].get(task) for one in sides)))
        rows += [
            _row("  " + name.removeprefix(f"{task}."), *(one["items"].get(name) for one in sides))
            for name in _names("items", sides)
            if name.startswith(f"{task}.")
        ]
    return table(("", "before", "after", "change"), rows, right=(1, 2, 3))


def _names(what: str, sides: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those of both: what is masked altogether on one side has no mean there."""
    return sorted({name for one in sides for name in one[what]})


def _row(name: str, before: float | None, after: float | None) -> tuple[str, str, str, str]:
    change = "" if before is None or after is None else f"{after - before:+.2f}"
    return (name, shown(before), shown(after), change)


def shown(value: float | None) -> str:
    """A mean with two decimals; a dash where nothing counted."""
    return "–" if value is None else f"{value:.2f}"
