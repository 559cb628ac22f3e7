"""Engines that are stepped, around a real small model: of our own form, and of vLLM's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.sampling import Sampling, choose


@dataclass
class Open:
    """One request: what it holds, and what was sampled of it so far."""

    ids: list[int]
    budget: int
    noise: np.random.Generator
    ends: Collection[int]
    said: list[int]
    logprobs: list[float]

    @property
    def stopped(self) -> bool:
        return bool(self.said) and self.said[-1] in self.ends

    @property
    def over(self) -> bool:
        return self.stopped or len(self.said) == self.budget


def begin(ids: Sequence[int], budget: int, seed: int, ends: Collection[int]) -> Open:
    return Open(list(ids), budget, np.random.default_rng(seed), ends, [], [])


def advance(model: Any, one: Open, sampling: Sampling) -> None:
    """A token more."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([one.ids])).logits[:, -1]
    chosen = choose(logits, torch.tensor([one.noise.random()]).double(), sampling, 0.0)
    token = int(chosen.token)
    one.said.append(token)
    one.ids.append(token)
    one.logprobs.append(chosen.logprob.item())


class SmallEngine:
    """As `cm2.rollout.stepped.SteppedEngine` says. `most` is how many were open at once, `log` what
    each step ended."""

    def __init__(self, model: Any, ends: Collection[int]) -> None:
        self.model, self.ends = model, ends
        self.open: dict[int, Open] = {}
        self.most = 0
        self.breaks = 0
        self.dropped: list[int] = []
        self.log: list[list[int]] = []

    def add(self, number: int, ids: Sequence[int], budget: int, seed: int) -> None:
        if len(ids) > 400:
            raise PolicyFailure("the prompt is too long")
        self.open[number] = begin(ids, budget, seed, self.ends)
        self.most = max(self.most, len(self.open))

    def step(self) -> list[tuple[int, Sampled | PolicyFailure]]:
        if self.breaks:
            raise RuntimeError("CUDA error: an illegal memory access")
        for one in self.open.values():
            advance(self.model, one, Sampling())
        over = [number for number, one in self.open.items() if one.over]
        self.log.append(over)
        ended = {number: self.open.pop(number) for number in over}
        return [(number, Sampled(one.said, one.logprobs)) for number, one in ended.items()]

    def drop(self, numbers: Collection[int]) -> None:
        self.dropped += numbers
        for number in numbers:
            self.open.pop(number, None)
