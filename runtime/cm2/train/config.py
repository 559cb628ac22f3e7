"""What a training run is told, all of it; `config.json` of a run folder holds these fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cm2.rollout.dialogue import Limits
from cm2dsl.reward.credit import Baseline, Level, Scale, Unreached


@dataclass(frozen=True, slots=True)
class Credit:
    """How verdicts become advantages; None means what the spec's `assign` says."""

    level: Level | None = None
    scale: Scale | None = None
    unreached: Unreached | None = None
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Tiny:
    """The policy that is built where no model is given, and its cold start.

    `spread` is the standard deviation of the initial weights, `rope_theta` the base of the rotary
    positions, `window` how many tokens the first layer sees: docs/training.md says what they and
    the rest were chosen by.
    """

    vocabulary: int = 512
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    window: int = 3
    spread: float = 0.06
    rope_theta: float = 500.0
    steps: int = 1000
    batch: int = 16
    learning_rate: float = 2e-3
    muon_learning_rate: float = 0.02


@dataclass(frozen=True, slots=True)
class Config:
    """One run. In every step `group` rollouts are played for each of `groups` instances.

    `micro_batch` is how many of them pass through the model at once in the update. `samples` is how
    many dialogues each held-out row is evaluated with, sampled at temperature 1 with fixed seeds:
    a greedy policy that is undecided between two answers would show one of them only. `judge` are
    the settings of the judge, which hold no key; None where checks alone decide.
    """

    model: str | None = None
    seed: int = 0
    steps: int = 200
    group: int = 8
    groups: int = 8
    learning_rate: float = 1e-6
    micro_batch: int = 8
    checkpoint_every: int = 25
    samples: int = 4
    credit: Credit = field(default_factory=Credit)
    limits: Limits = field(default_factory=Limits)
    tiny: Tiny | None = None
    judge: Mapping[str, Any] | None = None


DEMONSTRATION = Config(
    steps=120,
    group=8,
    groups=16,
    learning_rate=8e-4,
    micro_batch=128,
    checkpoint_every=20,
    samples=3,
    limits=Limits(steps=5, step_tokens=96, tokens=768),
    tiny=Tiny(),
)
"""A run without `--model`: what a tiny policy needs, where a large one needs something else."""
