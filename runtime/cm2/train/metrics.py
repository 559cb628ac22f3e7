"""The figures of one step, for metrics.jsonl and for whatever else keeps them."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

import torch

from cm2.rollout.report import summarise
from cm2.rollout.stage import Played
from cm2.train.step import Step
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.credit import flips

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_THEIRS = {
    "loss": "loss",
    "entropy": "entropy",
    "kl": "kl",
    "grad_norm": "grad_norm",
    "learning_rate": "learning_rate",
    "clip_ratio/low_mean": "clipped_low",
    "clip_ratio/high_mean": "clipped_high",
    "clip_ratio/region_mean": "clipped",
    "cispo_clip_ratio": "clipped",
    "sampling/importance_sampling_ratio/mean": "importance",
    "sampling/sampling_logp_difference/mean": "importance_gap",
}
"""What of TRL's log has a place in a line of ours, and its name there."""


def step_figures(step: Step) -> dict[str, Any]:
    """What was played in a step, as docs/training.md lists it.

    Rates are of the rollouts that are not masked, those that were played besides included.
    """
    played = step.all_played
    shown = summarise(played)
    kept = [one for one in played if not one.masked]
    return {
        **shown,
        "gate_rate": _rate(one.rollout.stop == "strict" for one in kept),
        "first_pass": first_pass(kept),
        "sources": sources(played),
        "groups": [
            {
                "row": group.row,
                "reward": _rounded(group.reward),
                "spread": group.spread,
                "learned": group in step.groups,
            }
            for group in (*step.groups, *step.left_out)
        ],
        "without_variance": sum(not group.teaches for group in step.groups),
        "resampled": len(step.left_out),
        "advantages": _advantages(step),
        "lengths": _lengths(kept),
        "tokens": sum(sum(one.rollout.mask) for one in played),
    }


def trl_figures(logs: Mapping[str, Any]) -> dict[str, Any]:
    """What TRL says of the update, under the names of a line."""
    return {ours: logs[theirs] for theirs, ours in _THEIRS.items() if theirs in logs}


def first_pass(played: Sequence[Played]) -> dict[str, float]:
    """For each `task.turn.item` that passed anywhere: the step, from 0 in its turn, at which it was
    first satisfied, on average where it was."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in played:
        task, name = one.scored.task, one.scored.instance.task.name
        scopes = [*(turn.name for turn in task.turns), DIALOGUE]
        for scope, items in zip(scopes, flips(task, one.scored.verdicts), strict=False):
            for item, step in items.items():
                if step is not None:
                    found[f"{name}.{scope}.{item}"].append(step)
    return {name: round(fmean(steps), 4) for name, steps in sorted(found.items())}


def sources(played: Sequence[Played]) -> dict[str, float]:
    """Which share of all tool calls each source answered; empty where there were none."""
    counts = Counter(answer.source for one in played for answer in one.rollout.answers.values())
    return {name: round(n / counts.total(), 4) for name, n in sorted(counts.items())}


def flat(figures: Mapping[str, Any], prefix: str = "cm2/") -> Iterator[tuple[str, float]]:
    """The numbers of a line, one level deep: what TensorBoard and its like can draw."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def peak_memory() -> dict[str, float]:
    """The most memory that was used, in MiB: of this process, and of its GPU where it has one."""
    found = {}
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
        found["process"] = round(used * unit / 2**20, 1)
    if torch.cuda.is_available():
        found["gpu"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
    return found


def _advantages(step: Step) -> dict[str, float]:
    """Of the steps of the dialogues that are learned from: their spread, the largest, and the share
    that are not 0."""
    values = [value for one in step.credit for turn in one.advantages for value in turn]
    if not values:
        return {}
    return {
        "spread": round(pstdev(values), 6),
        "largest": round(max(map(abs, values)), 6),
        "not_zero": round(sum(value != 0.0 for value in values) / len(values), 4),
    }


def _lengths(played: Sequence[Played]) -> dict[str, float]:
    """Of a dialogue: sampled tokens (mean and most), all tokens with the prompt, turns, steps and
    calls (means)."""
    if not played:
        return {}
    sampled = [sum(one.rollout.mask) for one in played]
    steps = [
        [step for turn in one.rollout.trajectory.turns for step in turn.steps] for one in played
    ]
    return {
        "sampled": round(fmean(sampled), 2),
        "most_sampled": max(sampled),
        "tokens": round(
            fmean(len(one.rollout.prompt) + len(one.rollout.completion) for one in played), 2
        ),
        "turns": round(fmean(len(one.rollout.trajectory.turns) for one in played), 2),
        "steps": round(fmean(len(one) for one in steps), 2),
        "calls": round(fmean(sum(len(step.calls) for step in one) for one in steps), 2),
    }


def _rate(values: Iterator[bool] | Any) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
