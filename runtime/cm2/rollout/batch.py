"""Many dialogues at once, their generation requests answered in one batch.

Every dialogue is a coroutine. While some of them run (tools answer), the others wait; when all
that are left wait for the policy, their requests go to the sampler together, in the order of the
dialogues. What is in a batch, and in which order, therefore does not depend on how fast a tool was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """Continue `ids` by at most `budget` tokens. `noise` draws what sampling needs, in order."""

    ids: Sequence[int]
    budget: int
    noise: np.random.Generator


@dataclass(frozen=True, slots=True)
class Sampled:
    """Ids as sampled (the end token included where it came) and their log-probabilities."""

    ids: list[int]
    logprobs: list[float]


Generate = Callable[[Request], Awaitable[Sampled]]
Sampler = Callable[[list[Request]], list[Sampled]]


class _Exchange:
    """Who is still playing, and who waits with which request."""

    def __init__(self, players: int, sampler: Sampler) -> None:
        self._playing = players
        self._sampler = sampler
        self._waiting: dict[int, tuple[Request, asyncio.Future[Sampled]]] = {}

    async def ask(self, player: int, request: Request) -> Sampled:
        answer: asyncio.Future[Sampled] = asyncio.get_running_loop().create_future()
        self._waiting[player] = (request, answer)
        self._answer_when_all_wait()
        return await answer

    def leave(self) -> None:
        self._playing -= 1
        self._answer_when_all_wait()

    def _answer_when_all_wait(self) -> None:
        if not self._waiting or len(self._waiting) < self._playing:
            return
        batch = [self._waiting[player] for player in sorted(self._waiting)]
        self._waiting.clear()
        sampled = self._sampler([request for request, _ in batch])
        for (_, answer), one in zip(batch, sampled, strict=True):
            if not answer.done():
                answer.set_result(one)


async def play_together(
    dialogues: Sequence[Callable[[Generate], Awaitable[T]]], sampler: Sampler
) -> list[T]:
    """The results of the dialogues, in their order. The first exception in any of them is raised,
    and the others are cancelled."""
    exchange = _Exchange(len(dialogues), sampler)

    async def one(player: int, dialogue: Callable[[Generate], Awaitable[T]]) -> T:
        result = await dialogue(lambda request: exchange.ask(player, request))
        exchange.leave()
        return result

    tasks = [asyncio.ensure_future(one(i, dialogue)) for i, dialogue in enumerate(dialogues)]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
