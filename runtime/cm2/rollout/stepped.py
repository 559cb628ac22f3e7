"""An engine in this process that is stepped: each step adds a token to whatever is open in it.

Such engines (vLLM's, as a trainer owns it) are no loop of their own and belong to one thread. Here
a thread steps one for as long as any dialogue waits for it, and dialogues join and leave between
two steps: none waits for another's end, and tools and judges are asked meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from types import TracebackType
from typing import Protocol, Self

import torch

from cm2.judge.engine import EngineError
from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.prefixes import PrefixGenerator


class SteppedEngine(Protocol):
    """What is stepped. Its methods are called by one thread, one at a time."""

    def add(self, number: int, ids: Sequence[int], budget: int, seed: int) -> None:
        """Begin to continue `ids`. Raises PolicyFailure where this one cannot be."""

    def step(self) -> Collection[tuple[int, Sampled | PolicyFailure]]:
        """A step for all that is open, and what ended with it, by number."""

    def drop(self, numbers: Collection[int]) -> None:
        """Nobody waits for these any more."""


@dataclass(slots=True)
class _Asked:
    number: int
    ids: list[int]
    budget: int
    seed: int
    answer: asyncio.Future[Sampled | PolicyFailure] = field(compare=False)


class SteppedGenerator(PrefixGenerator):
    """Continues dialogues with an engine that it steps, and that stays its owner's.

    What breaks a step raises EngineError in all that wait.
    """

    def __init__(self, engine: SteppedEngine) -> None:
        super().__init__()
        self._engine = engine
        self._numbers = count()
        self._new: list[_Asked] = []
        self._left: set[int] = set()
        self._driver: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        # Which GPU is meant is a thread's own affair.
        gpu = torch.cuda.current_device() if torch.cuda.is_available() else None

        def prepare() -> None:
            if gpu is not None:
                torch.cuda.set_device(gpu)

        self._thread = ThreadPoolExecutor(1, "policy", initializer=prepare)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._driver is not None:
            await self._driver
            self._driver = None
        assert self._thread is not None
        self._thread.shutdown()

    async def continued(self, ids: Sequence[int], budget: int, seed: int) -> Sampled:
        start, future = perf_counter(), asyncio.get_running_loop().create_future()
        asked = _Asked(next(self._numbers), list(ids), budget, seed, future)
        self._new.append(asked)
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        try:
            answer: Sampled | PolicyFailure = await future
        except asyncio.CancelledError:
            self._left.add(asked.number)
            raise
        finally:
            self.usage.add("waiting", perf_counter() - start)
        if isinstance(answer, PolicyFailure):
            raise answer
        return answer

    async def _drive(self) -> None:
        """Step until nobody waits. It raises nothing: those who wait are told."""
        loop = asyncio.get_running_loop()
        waiting: dict[int, _Asked] = {}
        while self._new or waiting:
            new, left = self._new, self._left
            self._new, self._left = [], set()
            waiting |= {one.number: one for one in new}
            try:
                ended = await loop.run_in_executor(self._thread, self._step, new, left)
            except Exception as error:
                for one in [*waiting.values(), *self._new]:
                    if not one.answer.done():
                        broken = EngineError(
                            f"the policy's engine broke: {_words(error)}",
                            "see what it wrote above",
                        )
                        broken.__cause__ = error
                        one.answer.set_exception(broken)
                self._new = []
                return
            for number, answer in ended:
                asked = waiting.pop(number, None)
                if asked is not None and not asked.answer.done():
                    asked.answer.set_result(answer)
            for number in left:
                waiting.pop(number, None)
        self._left.clear()

    def _step(
        self, new: Sequence[_Asked], left: Collection[int]
    ) -> list[tuple[int, Sampled | PolicyFailure]]:
        ended: list[tuple[int, Sampled | PolicyFailure]] = []
        for one in new:
            try:
                self._engine.add(one.number, one.ids, one.budget, one.seed)
            except PolicyFailure as failure:
                ended.append((one.number, failure))
        if left:
            self._engine.drop(left)
        return [*ended, *self._engine.step()]


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
