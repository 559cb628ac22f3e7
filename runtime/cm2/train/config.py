"""What a training run is told, all of it; `config.json` of a run folder holds these fields.

The same fields are the keys of a run file (`--config`), tables and all (docs/training.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cm2.rollout.limits import Count, Limits
from cm2.train.presets import TINY
from cm2dsl.reward.credit import Baseline, Level, Scale, Unreached

Number = Annotated[int, Meta(ge=0, le=10**9)]
Seed = Annotated[int, Meta(ge=0, lt=2**32)]  # as numpy takes it
Positive = Annotated[float, Meta(gt=0, le=1e9)]  # bounded: infinity is no setting
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Probability = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class Credit:
    """How verdicts become advantages; None means what the spec's `assign` says.

    `at` names the turns that carry reward. A group of which fewer than `min_group` rollouts are not
    masked has no advantages: a mean over too few is noise.
    """

    level: Level | None = None
    scale: Scale | None = None
    unreached: Unreached | None = None
    baseline: Baseline | None = None
    at: tuple[str, ...] | None = None
    min_group: Annotated[int, Meta(ge=2)] = 2


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the policy speaks while it is trained; evaluations sample in the same way.

    `top_k` 0 and `top_p` 1 leave every token in; `min_p` leaves out those less likely than that
    share of the likeliest.
    """

    temperature: Positive = 1.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    top_k: Number = 0
    min_p: Probability = 0.0


@dataclass(frozen=True, slots=True)
class Generation:
    """What samples (docs/scale.md): the model that learns (`local`), vLLM on the same GPU
    (`colocate`) or vLLM's server (`server`).

    On the same GPU vLLM takes a share `memory` of it, and gives it back for the updates where it
    may `sleep`. The server is at `url`, calls the model `served_as` where that is not its
    directory, gets weights over `port`, and is asked for `concurrent` messages at a time.
    """

    backend: Literal["local", "colocate", "server"] = "local"
    memory: Share = 0.3
    sleep: bool = True
    url: str | None = None
    served_as: str | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] = 51216
    concurrent: Count = 256


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows a step plays (cm2.train.rows), and how many more groups it may play in place of
    those that teach nothing."""

    draw: Literal["uniform", "difficulty"] = "uniform"
    resample: Number = 0


@dataclass(frozen=True, slots=True)
class Validation:
    """Every `every` steps (0: never) a `share` of each task's held-out rows is played, `samples`
    dialogues each; after `patience` of them (0: never) without a gain the run stops."""

    every: Number = 0
    share: Share = 0.5
    samples: Count = 4
    patience: Number = 0


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter that is trained in place of the weights (LoRA, arXiv 2106.09685).

    `targets` are names of modules; `all-linear` is every linear layer but the head. `merge` writes
    the trained model with the adapter in its weights, where else it writes the adapter alone.
    """

    rank: Count = 16
    alpha: Positive = 32.0
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    merge: bool = False


@dataclass(frozen=True, slots=True)
class Tiny:
    """The policy that is built where no model is given, and its cold start.

    `spread` is the standard deviation of the initial weights, `rope_theta` the base of the rotary
    positions, `window` how many tokens the first layer sees: docs/training.md says what they and
    the rest were chosen by.
    """

    vocabulary: Count = 512
    hidden: Count = 64
    layers: Count = 2
    heads: Count = 4
    window: Count = 3
    spread: Positive = 0.06
    rope_theta: Positive = 500.0
    steps: Count = 1000
    batch: Count = 16
    learning_rate: Positive = 2e-3
    muon_learning_rate: Positive = 0.02


@dataclass(frozen=True, slots=True)
class Config:
    """One run. In every step `group` rollouts are played for each of `groups` instances.

    `micro_batch` is how many of them pass through the model at once in the update. `samples` is how
    many dialogues each held-out row is evaluated with, sampled with fixed seeds: a greedy policy
    that is undecided between two answers would show one of them only.

    `iterations` is how often a step's rollouts are learned from and `updates` in how many parts;
    with either above 1 the policy leaves the one that played, and `epsilon` clips how far a token
    counts (`epsilon_high` where it goes up; None: the same). `beta` weighs the KL divergence from
    the policy at the start. `truncate` weighs each token by how much likelier it is to the model
    that learns than it was to what sampled it, at most so much (truncated importance sampling); it
    costs a forward pass, and None leaves it out.
    `decay` is the share of the steps in which the learning rate goes down to nothing.

    `dtype` is that of the weights; `auto` is float32, and bfloat16 under an adapter on a GPU.
    `gradient_checkpointing` None is on a GPU alone. `keep` says which policy `model/` holds: the
    best by validation, or the last, which it is without validation anyway.

    `trl` are arguments of TRL's GRPOConfig as they are. `judge` and `world` are the settings of the
    judge and of the simulator's models, which hold no key; None where there are none.
    """

    model: str | None = None
    seed: Seed = 0
    steps: Count = 200
    group: Annotated[int, Meta(ge=2)] = 8
    groups: Count = 8
    micro_batch: Count = 8
    checkpoint_every: Count = 25
    samples: Count = 4
    keep: Literal["best", "last"] = "best"

    learning_rate: Positive = 1e-6
    schedule: Literal["constant", "linear", "cosine", "decay"] = "decay"
    warmup: Number = 5
    decay: Probability = 1 / 3
    weight_decay: NotNegative = 0.0
    max_grad_norm: NotNegative = 1.0
    loss: Literal["dapo", "grpo", "bnpo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"] = "dapo"
    beta: NotNegative = 0.0
    epsilon: Positive = 0.2
    epsilon_high: Positive | None = None
    iterations: Count = 1
    updates: Count = 1
    truncate: Positive | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    gradient_checkpointing: bool | None = None
    report_to: tuple[str, ...] = ()

    credit: Credit = field(default_factory=Credit)
    sampling: Sampling = field(default_factory=Sampling)
    generation: Generation = field(default_factory=Generation)
    rows: Rows = field(default_factory=Rows)
    validation: Validation = field(default_factory=Validation)
    limits: Limits = field(default_factory=Limits)
    lora: Lora | None = None
    tiny: Tiny | None = None
    trl: Mapping[str, Any] = field(default_factory=dict)
    judge: Mapping[str, Any] | None = None
    world: Mapping[str, Any] | None = None


DEMONSTRATION = msgspec.convert(TINY, Config)
"""A run without `--model`: what a tiny policy needs, where a large one needs something else."""
