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

Batch = Callable[[Sequence[Prompt]], list[Answer]]


class Batching:
    """One thread that answers up to `size` prompts at a time with `batch`."""

    def __init__(self, batch: Batch, size: int) -> None:
        self._batch = batch
        self._size = size
        self._waiting: list[tuple[Prompt, asyncio.Future[Answer]]] = []
        self._working: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def answer(self, prompt: Prompt) -> Answer:
        """The answer to a prompt. Raises what the batch that it was in raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((prompt, future))
        if self._working is None or self._working.done():
            self._working = asyncio.ensure_future(self._work())
        return await future

    async def _work(self) -> None:
        await asyncio.sleep(0)  # all that is ready to ask has asked
        loop = asyncio.get_running_loop()
        while True:
            # Who stopped waiting is not asked for.
            self._waiting = [one for one in self._waiting if not one[1].done()]
            if not self._waiting:
                return
            # Prompts of a lane begin alike, so they are of like length and share a prefix.
            self._waiting.sort(key=lambda one: one[0].lane)
            now, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
            try:
                answers = await loop.run_in_executor(
                    self._thread, self._batch, [prompt for prompt, _ in now]
                )
            except Exception as error:
                for _, future in now:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(now, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def close(self) -> None:
        """Wait for the batch that is being answered, and end the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)
