"""Many dialogues at once, their generation requests answered in one batch.

Every dialogue is a coroutine. While some of them run (tools answer), the others wait; when all
that are left wait for the policy, their requests go to the sampler together, in the order of the
dialogues. What is in a batch, and in which order, therefore does not depend on how fast a tool was.

A dialogue that cannot go on before a judge has spoken steps aside. The others are sampled
meanwhile; it comes back when none of them waits for the policy any more, together with all that
stepped aside, so that what is in a batch does not depend on how fast the judge was either. That
matters where a batch of another size rounds otherwise, and a token comes out differently.

The sampler works in a thread of its own: whoever judges goes on sending and receiving meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from cm2.tasks import task_group

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


class Seat:
    """A dialogue's place among the others."""

    def __init__(self, exchange: _Exchange, player: int) -> None:
        self._exchange = exchange
        self._player = player

    async def generate(self, request: Request) -> Sampled:
        """What the policy says, sampled together with what the others wait for."""
        return await self._exchange.ask(self._player, request)

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work that may take long, while the others are sampled."""
        return await self._exchange.aside(work)


class _Exchange:
    """Who is still playing, who waits with which request, and who has stepped aside."""

    def __init__(self, players: int, sampler: Sampler) -> None:
        self._playing = players
        self._sampler = sampler
        self._waiting: dict[int, tuple[Request, asyncio.Future[Sampled]]] = {}
        self._aside: list[tuple[asyncio.Task[Any], asyncio.Future[None]]] = []
        self._still = asyncio.Event()
        self._look()

    async def ask(self, player: int, request: Request) -> Sampled:
        answer: asyncio.Future[Sampled] = asyncio.get_running_loop().create_future()
        self._waiting[player] = (request, answer)
        self._look()
        return await answer

    async def aside(self, work: Coroutine[Any, Any, T]) -> T:
        back: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(work)
        self._aside.append((task, back))
        self._look()
        try:
            await back
            return await task
        finally:
            task.cancel()

    def leave(self) -> None:
        self._playing -= 1
        self._look()

    def _look(self) -> None:
        if len(self._waiting) + len(self._aside) == self._playing:
            self._still.set()

    async def conduct(self) -> None:
        """Answer whoever waits, until nobody plays any more."""
        while True:
            await self._still.wait()
            self._still.clear()
            if self._waiting:
                await self._sample()
            elif self._aside:
                aside, self._aside = self._aside, []
                await asyncio.wait([task for task, _ in aside])
                for _, back in aside:
                    back.set_result(None)
            else:
                return

    async def _sample(self) -> None:
        batch = [self._waiting[player] for player in sorted(self._waiting)]
        self._waiting.clear()
        sampled = await asyncio.to_thread(self._sampler, [request for request, _ in batch])
        for (_, answer), one in zip(batch, sampled, strict=True):
            answer.set_result(one)


async def play_together(
    dialogues: Sequence[Callable[[Seat], Awaitable[T]]], sampler: Sampler
) -> list[T]:
    """The results of the dialogues, in their order. The first exception in any of them, or in the
    sampler, is raised, and the others are cancelled."""
    exchange = _Exchange(len(dialogues), sampler)

    async def one(player: int, dialogue: Callable[[Seat], Awaitable[T]]) -> T:
        result = await dialogue(Seat(exchange, player))
        exchange.leave()
        return result

    async with task_group() as group:
        tasks = [group.create_task(one(i, dialogue)) for i, dialogue in enumerate(dialogues)]
        group.create_task(exchange.conduct())
    return [task.result() for task in tasks]
