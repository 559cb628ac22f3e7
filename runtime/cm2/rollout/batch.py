"""Whole messages of several dialogues, sampled in one batch.

Whoever asks while a batch is being sampled is in the next one. The sampler works in a thread of
its own: judges and tools go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cm2.rollout.generator import Generator, Line, Sampled


@dataclass(frozen=True, slots=True)
class Request:
    """Continue `ids` by at most `budget` tokens. `noise` draws what sampling needs, in order."""

    ids: Sequence[int]
    budget: int
    noise: np.random.Generator


Sampler = Callable[[list[Request]], list[Sampled]]


class Batches(Generator):
    """A generator that gives a sampler all that is asked for at a time."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__()
        self._sampler = sampler
        self._waiting: list[tuple[Request, asyncio.Future[Sampled]]] = []
        self._task: asyncio.Task[None] | None = None

    def open(self, noise: np.random.Generator) -> Line:
        return _Line(self, noise)

    async def ask(self, request: Request) -> Sampled:
        """What the sampler says to a request, together with others."""
        answer: asyncio.Future[Sampled] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._sample())
        return await answer

    async def _sample(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                requests = [request for request, _ in batch]
                try:
                    sampled = await asyncio.to_thread(self._sampler, requests)
                except Exception as error:
                    for _, answer in batch:
                        if not answer.done():
                            answer.set_exception(error)
                    continue
                for (_, answer), one in zip(batch, sampled, strict=True):
                    if not answer.done():
                        answer.set_result(one)
        finally:
            self._task = None


class _Line(Line):
    def __init__(self, batches: Batches, noise: np.random.Generator) -> None:
        self._batches = batches
        self._noise = noise
        self._ids: list[int] = []

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        self._ids += given
        sampled = await self._batches.ask(Request(list(self._ids), budget, self._noise))
        self._ids += sampled.ids
        return sampled
