"""Requests that are answered in batches, by a model in this process.

Whatever waits when the model is free goes to it together, up to a batch, in a thread of its own:
the event loop goes on, and requests that come meanwhile make the next batch. What a prompt is
answered must not depend on what it shares a batch with; the engine sees to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from cm2.judge.engine import Answer, Prompt

Wanted = Callable[[], bool]
"""Whether anyone still waits for an answer of the batch. It may be called from any thread."""

Batch = Callable[[Sequence[Prompt], Wanted], list[Answer]]
"""One answer a prompt, in their order. What it gives when it is no longer wanted goes nowhere."""

_Waiting = tuple[Prompt, asyncio.Future[Answer]]


class Batching:
    """One thread that answers up to `size` prompts at a time with `batch`."""

    def __init__(self, batch: Batch, size: int) -> None:
        self._batch = batch
        self._size = size
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._out: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def answer(self, prompt: Prompt) -> Answer:
        """The answer to a prompt. Raises what the batch that it was in raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((prompt, future))
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())
        return await future

    async def close(self) -> None:
        """End the batch that is being answered, and the thread. Who still waits is cancelled."""
        for _, future in [*self._out, *self._waiting]:
            future.cancel()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        await asyncio.sleep(0)  # all that is ready to ask has asked
        while now := self._next():
            self._out = now
            await self._answer([prompt for prompt, _ in now], [future for _, future in now])
            self._out = []

    async def _answer(
        self, prompts: Sequence[Prompt], futures: Sequence[asyncio.Future[Answer]]
    ) -> None:
        def wanted() -> bool:
            return not all(future.done() for future in futures)

        try:
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(self._thread, self._batch, prompts, wanted)
            for future, answer in zip(futures, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except Exception as error:
            for future in futures:
                if not future.done():
                    future.set_exception(error)

    def _next(self) -> list[_Waiting]:
        """The next batch: who waited longest, and with them the others of their lanes.

        Prompts of a lane begin alike, so that they are of like length and share their beginning.
        """
        # Who stopped waiting is not asked for.
        waiting = [one for one in self._waiting if not one[1].done()]
        lanes = {lane: n for n, lane in enumerate(dict.fromkeys(one.lane for one, _ in waiting))}
        waiting.sort(key=lambda one: lanes[one[0].lane])
        self._waiting = waiting[self._size :]
        return waiting[: self._size]
