"""Short runs in which every step moves the weights, to see that what samples is given them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cm2.rollout.limits import Limits
from cm2.train.config import Config, Generation
from cm2.train.trainer import ChecklistTrainer

TOKENS = 512


def short_run(folder: Path, by: Generation, **changes: Any) -> Config:
    """Two steps of the model in `folder`, large ones; `by` is what samples."""
    told = Config(
        model=str(folder),
        steps=2,
        group=2,
        groups=2,
        micro_batch=4,
        samples=1,
        learning_rate=0.05,
        schedule="constant",
        warmup=0,
        dtype="float32",
        limits=Limits(turns=2, steps=1, step_tokens=6, tokens=TOKENS),
        generation=by,
    )
    return replace(told, **changes)


def gaps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """How far each step's log-probabilities are from the learner's own at most, and of how many
    tokens; filled while a run trains.

    A policy of random weights earns nothing, and would stay as it is: its tokens get advantages by
    chance, so that every step moves the weights.
    """
    seen: list[tuple[float, int]] = []
    chance = torch.Generator().manual_seed(0)
    right = ChecklistTrainer._generate_and_score_completions

    def watched(self: Any, inputs: Any) -> Any:
        out = right(self, inputs)
        sampled = out["tool_mask"] * out["completion_mask"] > 0
        with torch.no_grad():
            logprobs, _, _ = self._get_per_token_logps_and_entropies(
                self.model,
                torch.cat([out["prompt_ids"], out["completion_ids"]], 1),
                torch.cat([out["prompt_mask"], out["completion_mask"]], 1),
                out["completion_ids"].shape[1],
            )
        gap = (logprobs - out["sampling_per_token_logps"])[sampled].abs()
        seen.append((float(gap.max()), int(sampled.sum())))
        out["advantages"] = torch.randn(sampled.shape, generator=chance) * sampled
        return out

    monkeypatch.setattr(ChecklistTrainer, "_generate_and_score_completions", watched)
    return seen
