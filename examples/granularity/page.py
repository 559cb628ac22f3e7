"""The page's tables, written between two marks: text and data cannot drift apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from arms import LEVELS, Arm, Size
from measures import Interval
from tables import SHOWN, Runs, by_rate, cells, group_differences, level_differences, overall

BEGIN, END = "<!-- numbers: made by run.py -->", "<!-- end of numbers -->"

HEADS = {
    "early": "early",
    "peak": "peak",
    "end": "end",
    "drop": "end − peak",
    "after": "held-out",
    "well_formed": "well-formed",
    "entropy": "entropy",
}


class PageError(ValueError):
    """A page without the place for its numbers."""


def put(page: Path, numbers: str) -> None:
    """Write the numbers into the page, in place of those that are there. Raises PageError."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PageError(f"`{page}` has no lines `{BEGIN}` and `{END}`; put them where they belong")
    beside = page.with_name(f".{page.name}.partial")
    beside.write_text(f"{before}{BEGIN}\n\n{numbers}\n{END}{after}", "utf-8")
    beside.replace(page)


def numbers(runs: Runs, size: Size, planned: int) -> str:
    """All tables of the page, as Markdown."""
    head = (
        f"{len(runs)} of {planned} runs, each of {size.steps} steps of {size.rollouts} rollouts. "
        "Means over the seeds, ± half a 95% t interval."
    )
    parts = [head]
    for rate, some in by_rate(runs).items():
        parts += [f"### Learning rate {rate:g}", *_tables(some)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tables(runs: Runs) -> list[str]:
    levels = [
        ("turn − trajectory", *_levels(runs, "turn", "trajectory")),
        ("step − trajectory", *_levels(runs, "step", "trajectory")),
        ("step − turn", *_levels(runs, "step", "turn")),
    ]
    groups = [
        (level, *_groups({arm: one for arm, one in runs.items() if arm.level == level}))
        for level in LEVELS
    ]
    return [
        _cells(runs),
        *_titled(
            "**Finer minus coarser credit**, of the same seed, over all noises and group sizes. In "
            "brackets: in how many of these cells alone the interval is above 0, and below.",
            _overall(levels),
        ),
        *_titled("**Step minus trajectory**, by group size and noise.", _by_cell(runs)),
        *_titled(
            "**The larger groups minus the smaller**, of the same seed, over all noises.",
            _overall(groups),
        ),
    ]


def _titled(title: str, table: str) -> list[str]:
    return [title, table] if table else []


def _levels(runs: Runs, finer: Any, coarser: Any) -> tuple[Any, Any]:
    return (
        overall(runs, lambda arm: arm.level, finer, coarser),
        level_differences(runs, finer, coarser),
    )


def _groups(runs: Runs) -> tuple[Any, Any]:
    of: Callable[[Arm], Any] = lambda arm: arm.group  # noqa: E731
    sizes = sorted({arm.group for arm in runs})
    if len(sizes) < 2:
        return {}, {}
    return overall(runs, of, sizes[-1], sizes[0]), group_differences(runs, sizes[-1], sizes[0])


def _cells(runs: Runs) -> str:
    rows = [
        [str(group), f"{noise:g}", level, *(_said(measures[name]) for name in SHOWN)]
        for (group, noise, level), measures in cells(runs).items()
    ]
    return _table(["group", "noise", "credit", *(HEADS[name] for name in SHOWN)], rows)


def _overall(lines: Iterable[tuple[str, Any, Any]]) -> str:
    rows = []
    for title, means, by_cell in lines:
        if not means:
            continue
        row = [title]
        for name in SHOWN:
            signs = [measures[name].sign for measures in by_cell.values()]
            row.append(f"{_said(means[name], sign=True)} ({signs.count(1)}, {signs.count(-1)})")
        rows.append(row)
    return _table(["", *(HEADS[name] for name in SHOWN)], rows) if rows else ""


def _by_cell(runs: Runs) -> str:
    rows = [
        [str(group), f"{noise:g}", *(_said(measures[name], sign=True) for name in SHOWN)]
        for (group, noise), measures in sorted(
            level_differences(runs, "step", "trajectory").items()
        )
    ]
    return _table(["group", "noise", *(HEADS[name] for name in SHOWN)], rows) if rows else ""


def _said(one: Interval, *, sign: bool = False) -> str:
    mean = f"{one.mean:+.2f}" if sign else f"{one.mean:.2f}"
    mean = mean.replace("-", "−")
    if one.low is None:
        return mean
    return f"{mean} ± {one.mean - one.low:.2f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
