"""The study's tables: every cell over its seeds, and the differences that the question is about.

What takes runs takes those of one learning rate, but for the two that write files.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path
from statistics import mean
from typing import Any

from arms import Arm, Level
from curves import Curve
from measures import Interval, Measures, interval, measured

Cell = tuple[int, float, Level]
"""Group size, noise, level."""

NAMES = tuple(field.name for field in fields(Measures))
SHOWN = ("early", "peak", "end", "drop", "after", "well_formed", "entropy")

Runs = Mapping[Arm, Measures]


def measured_runs(curves: Sequence[Curve]) -> dict[Arm, Measures]:
    return {curve.arm: measured(curve) for curve in curves}


def cells(runs: Runs) -> dict[Cell, dict[str, Interval]]:
    """Each measure over the seeds of each cell."""
    found: dict[Cell, list[Measures]] = defaultdict(list)
    for arm, one in runs.items():
        found[arm.group, arm.noise, arm.level].append(one)
    return {
        cell: {name: interval([getattr(one, name) for one in some]) for name in NAMES}
        for cell, some in sorted(found.items(), key=lambda pair: _order(pair[0]))
    }


def level_differences(
    runs: Runs, finer: Level, coarser: Level
) -> dict[tuple[int, float], dict[str, Interval]]:
    """Finer minus coarser credit of the same seed, for each group size and noise."""
    return _differences(
        runs, lambda arm: (arm.group, arm.noise), lambda arm: arm.level, finer, coarser
    )


def group_differences(
    runs: Runs, larger: int, smaller: int
) -> dict[tuple[Level, float], dict[str, Interval]]:
    """Larger minus smaller groups of the same seed, for each level and noise."""
    return _differences(
        runs, lambda arm: (arm.level, arm.noise), lambda arm: arm.group, larger, smaller
    )


def overall(runs: Runs, of: Callable[[Arm], Any], more: Any, less: Any) -> dict[str, Interval]:
    """`more` minus `less` by seed, averaged over whatever else differs: one number a seed, so that
    runs of one seed, which start from the same policy, do not count as independent."""
    by_seed: dict[int, list[tuple[Measures, Measures]]] = defaultdict(list)
    for seed, pair in _pairs(runs, of, more, less):
        by_seed[seed].append(pair)
    if not by_seed:
        return {}
    return {
        name: interval(
            [
                mean(getattr(a, name) - getattr(b, name) for a, b in some)
                for some in by_seed.values()
            ]
        )
        for name in NAMES
    }


def _differences(
    runs: Runs, where: Callable[[Arm], Any], of: Callable[[Arm], Any], more: Any, less: Any
) -> dict[Any, dict[str, Interval]]:
    found: dict[Any, list[tuple[Measures, Measures]]] = defaultdict(list)
    for arm, one in runs.items():
        if of(arm) == more:
            other = _other(runs, arm, of, less)
            if other is not None:
                found[where(arm)].append((one, other))
    return {
        key: {
            name: interval([getattr(a, name) - getattr(b, name) for a, b in some]) for name in NAMES
        }
        for key, some in found.items()
    }


def _pairs(
    runs: Runs, of: Callable[[Arm], Any], more: Any, less: Any
) -> list[tuple[int, tuple[Measures, Measures]]]:
    pairs = []
    for arm, one in runs.items():
        if of(arm) == more:
            other = _other(runs, arm, of, less)
            if other is not None:
                pairs.append((arm.seed, (one, other)))
    return pairs


def _other(runs: Runs, arm: Arm, of: Callable[[Arm], Any], value: Any) -> Measures | None:
    """The run that differs from `arm` in what `of` says, which is `value` there, and in no more."""
    for other, one in runs.items():
        pairs = zip(astuple(arm), astuple(other), strict=True)
        if of(other) == value and sum(a != b for a, b in pairs) == 1:
            return one
    return None


def by_rate(runs: Runs) -> dict[float, Runs]:
    """The runs of each learning rate, the lower first."""
    rates = sorted({arm.rate for arm in runs})
    return {rate: {arm: one for arm, one in runs.items() if arm.rate == rate} for rate in rates}


def _order(cell: Cell) -> tuple[int, float, int]:
    group, noise, level = cell
    return group, noise, ("trajectory", "turn", "step").index(level)


def write_runs(runs: Runs, path: Path) -> None:
    """A line a run."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*(field.name for field in fields(Arm)), *NAMES))
        for arm, one in runs.items():
            values = [f"{getattr(one, name):.4f}" for name in NAMES]
            writer.writerow((*astuple(arm), *values))


def write_cells(runs: Runs, path: Path) -> None:
    """A JSON list, an object a cell: its means with their intervals."""
    said = [
        {
            "rate": rate,
            "group": group,
            "noise": noise,
            "level": level,
            **{name: _rounded(one) for name, one in measures.items()},
        }
        for rate, some in by_rate(runs).items()
        for (group, noise, level), measures in cells(some).items()
    ]
    path.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def _rounded(one: Interval) -> dict[str, float | int | None]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(one).items()
    }
