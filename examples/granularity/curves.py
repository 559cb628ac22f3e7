"""What became of a run, step by step, and the table of all runs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from arms import Arm

CURVE = "curve.json"


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a run: means over its rollouts, which are of training rows.

    `truth` is the reward under the exact judge, and `find`, `open`, `send` what it is made of, turn
    by turn; `judged` the reward that the run learned from. `entropy` is in nats a token, `tokens`
    those that the policy sampled a rollout.
    """

    step: int
    truth: float
    find: float
    open: float
    send: float
    judged: float
    entropy: float
    well_formed: float
    tokens: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A run: its points in order, and the true reward on held-out rows before and after."""

    arm: Arm
    points: tuple[Point, ...]
    before: float
    after: float


def read_curve(folder: Path) -> Curve | None:
    """The curve of a finished run; None of one that is not."""
    path = folder / CURVE
    if not path.exists():
        return None
    said = json.loads(path.read_text("utf-8"))
    points = tuple(Point(**point) for point in said["points"])
    return Curve(Arm(**said["arm"]), points, said["before"], said["after"])


RUN = ("level", "noise", "group", "rate", "seed", "before", "after")
POINT = tuple(field.name for field in fields(Point))


def write_table(curves: Iterable[Curve], path: Path) -> None:
    """All curves as one CSV file, a line a step of a run, numbers with four decimals."""
    beside = path.with_name(f".{path.name}.partial")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*RUN, *POINT))
        for curve in curves:
            arm = curve.arm
            head = (*astuple(arm), *short(curve.before, curve.after))
            for point in curve.points:
                values = asdict(point)
                writer.writerow((*head, point.step, *short(*(values[n] for n in POINT[1:]))))
    beside.replace(path)


def read_table(path: Path) -> list[Curve]:
    """The curves in a CSV file that `write_table` wrote."""
    found: dict[tuple[Any, ...], list[Point]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            values = {name: float(line[name]) for name in POINT}
            point = Point(**{**values, "step": int(line["step"])})  # type: ignore[arg-type]
            found.setdefault(tuple(line[name] for name in RUN), []).append(point)
    return [
        Curve(
            Arm(level, float(noise), int(group), float(rate), int(seed)),
            tuple(points),
            float(before),
            float(after),
        )
        for (level, noise, group, rate, seed, before, after), points in found.items()
    ]


def short(*values: float) -> Sequence[str]:
    return [f"{value:.4f}" for value in values]
