"""What is compared: every combination of credit, noise, group size and seed, as one run each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
SPEC = HERE / "lockers.cm2"
CHECKS = HERE / "lockers_checks.cm2"
"""What is trained on, and the same with checks: the exact judge."""

Level = Literal["trajectory", "turn", "step"]

LEVELS: tuple[Level, ...] = ("trajectory", "turn", "step")
NOISES = (0.0, 0.05, 0.1, 0.2)
GROUPS = (8, 24)
SEEDS = (0, 2, 3)
"""Seed 1 is left out for its start: after the cold start that the others have too, it does not copy
codes yet, and there is next to nothing for a reward to tell apart (README.md)."""
RATE, HOT = 1e-3, 2e-3
"""The learning rate of the study, and one at which a policy this small is at the edge."""
HOT_GROUPS, HOT_NOISES = (8,), (0.0, 0.2)


@dataclass(frozen=True, slots=True)
class Arm:
    """One run: `level` of credit, the judge's `noise` (the share of its verdicts that are flipped,
    passes and fails alike), rollouts of one row in a `group`, the learning `rate`, the `seed`."""

    level: Level
    noise: float
    group: int
    rate: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.level}-n{self.noise:.2f}-g{self.group}-lr{self.rate:g}-s{self.seed}"


@dataclass(frozen=True, slots=True)
class Size:
    """How long a run is. A step plays `rollouts` dialogues whatever the group size, so that all
    runs cost the same and learn from as much: 48 are six groups of 8 or two of 24."""

    cold_steps: int
    steps: int
    rollouts: int
    samples: int


SIZES = {
    "study": Size(cold_steps=500, steps=48, rollouts=48, samples=4),
    "toy": Size(cold_steps=20, steps=2, rollouts=24, samples=1),
}


def arms() -> list[Arm]:
    """All runs, one seed after the other: what is there when a study stops early is balanced."""
    grids = ((RATE, GROUPS, NOISES), (HOT, HOT_GROUPS, HOT_NOISES))
    return [
        Arm(level, noise, group, rate, seed)
        for rate, groups, noises in grids
        for seed, group, noise, level in product(SEEDS, groups, noises, LEVELS)
    ]
