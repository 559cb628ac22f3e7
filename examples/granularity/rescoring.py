"""A finished run, scored again by the exact judge, whatever it was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arms import CHECKS, Arm
from curves import CURVE, Curve, Point

from cm2.bundle import open_spec
from cm2.chat import read
from cm2.score import score_all
from cm2.train.folder import METRICS, ROLLOUTS


def distil(arm: Arm, folder: Path) -> None:
    """Write `curve.json` into the folder of a run that is finished."""
    records = lines(folder / ROLLOUTS)
    scored = score_all(open_spec(CHECKS), list(read(folder / ROLLOUTS)))
    by_phase: dict[tuple[str, int], list[Any]] = {}
    for record, one in zip(records, scored, strict=True):
        if record["reward"] is not None:
            by_phase.setdefault((record["phase"], record["step"]), []).append(one)
    points = []
    for metric in lines(folder / METRICS):
        played = by_phase["train", metric["step"]]
        turns = zip(*(one.turn_rewards for one in played), strict=True)
        find, open_, send = (mean(rewards) for rewards in turns)
        points.append(
            Point(
                step=metric["step"],
                truth=mean(one.reward for one in played),
                find=find,
                open=open_,
                send=send,
                judged=metric["reward"],
                entropy=metric["entropy"],
                well_formed=metric["well_formed"],
                tokens=metric["tokens"] / metric["rollouts"],
            )
        )
    before, after = (
        mean(one.reward for (phase, _), some in by_phase.items() if phase == wanted for one in some)
        for wanted in ("before", "after")
    )
    curve = Curve(arm, tuple(points), before, after)
    beside = folder / f".{CURVE}.partial"
    beside.write_text(json.dumps(asdict(curve)), "utf-8")
    beside.replace(folder / CURVE)


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON Lines file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
