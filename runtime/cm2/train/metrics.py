"""The figures of one step, for metrics.jsonl and for whatever else keeps them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from statistics import pstdev
from typing import Any

import torch

from cm2.rollout.report import summarise
from cm2.train.step import Step

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
    "importance": "importance",
}
"""What of TRL's log has a place in a line of ours, and its name there."""


def step_figures(step: Step) -> dict[str, Any]:
    """What was played in a step, the groups that are not learned from included.

    The keys of `cm2.rollout.report.summary`, and: `groups`, each with its row, its mean reward and
    its spread (the variance of its rewards), and whether it is `learned` from; how many of those
    that are teach nothing (`without_variance`), and how many were played besides (`resampled`);
    `advantages`; `longest`, the most tokens that were sampled in a dialogue, and `tokens` in all.
    """
    played = step.all_played
    sampled = [sum(one.rollout.mask) for one in played]
    learned = [(group, True) for group in step.groups] + [(group, False) for group in step.left_out]
    return {
        **summarise(played),
        "groups": [
            {
                "row": group.row,
                "reward": None if group.reward is None else round(group.reward, 4),
                "spread": group.spread,
                "learned": counts,
            }
            for group, counts in learned
        ],
        "without_variance": sum(not group.teaches for group in step.groups),
        "resampled": len(step.left_out),
        "advantages": _advantages(step),
        "longest": max(sampled),
        "tokens": sum(sampled),
    }


def trl_figures(logs: Mapping[str, Any]) -> dict[str, Any]:
    """What TRL says of the update, under the names of a line."""
    return {ours: logs[theirs] for theirs, ours in _THEIRS.items() if theirs in logs}


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
