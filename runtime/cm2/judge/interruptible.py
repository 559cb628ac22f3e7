"""Asynchronous work that an interrupt cancels, so that it ends in order."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def run(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; an interrupt cancels the work, and is raised when that has ended.

    A KeyboardInterrupt raised wherever the loop happens to be would leave half of what it was doing
    behind. asyncio does the same as this, but only where nobody else handles interrupts.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        return runner.run(work)
    loop = runner.get_loop()
    tasks: list[asyncio.Task[T]] = []
    interrupted = False

    async def main() -> T:
        tasks.append(asyncio.ensure_future(work))
        if interrupted:  # before there was anything to cancel
            tasks[0].cancel()
        return await tasks[0]

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        for task in tasks:
            loop.call_soon_threadsafe(task.cancel)

    signal.signal(signal.SIGINT, handle)
    try:
        return runner.run(main())
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupted:
            before(signal.SIGINT, None)
            raise KeyboardInterrupt
