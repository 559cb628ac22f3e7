"""Two evaluations side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cm2.table import table


def comparison(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """A table of two summaries: the whole, the tasks, and the items of each task."""
    rows = [_row("reward", before["reward"], after["reward"])]
    rows.append(_row("well-formed endings", before["well_formed"], after["well_formed"]))
    for task in before["tasks"]:
        rows.append(("", "", "", ""))
        rows.append(_row(task, before["tasks"][task], after["tasks"].get(task)))
        rows += [
            _row("  " + name.removeprefix(f"{task}."), rate, after["items"].get(name))
            for name, rate in before["items"].items()
            if name.startswith(f"{task}.")
        ]
    return table(("", "before", "after", "change"), rows, right=(1, 2, 3))


def _row(name: str, before: float | None, after: float | None) -> tuple[str, str, str, str]:
    change = "" if before is None or after is None else f"{after - before:+.2f}"
    return (name, _shown(before), _shown(after), change)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
