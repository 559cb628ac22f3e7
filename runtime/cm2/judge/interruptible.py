"""Asynchronous work that an interrupt cancels, so that it ends in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

from cm2.interrupts import handled

T = TypeVar("T")


def run(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; an interrupt cancels the work, and is raised when that has ended.

    A KeyboardInterrupt raised wherever the loop happens to be would leave half of what it was doing
    behind. asyncio does the same as this, but only where nobody else handles interrupts.
    """
    before = handled()
    if not before:
        return runner.run(work)
    loop = runner.get_loop()
    tasks: list[asyncio.Task[T]] = []
    raised: BaseException | None = None

    async def main() -> T:
        tasks.append(asyncio.ensure_future(work))
        if raised is not None:  # before there was anything to cancel
            tasks[0].cancel()
        return await tasks[0]

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        try:
            before[number](number, frame)
        except BaseException as error:  # what it would have raised in the loop is raised after it
            raised = error
        else:
            raised = raised or KeyboardInterrupt()
        for task in tasks:
            loop.call_soon_threadsafe(task.cancel)

    for number in before:
        signal.signal(number, handle)
    try:
        return runner.run(main())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if raised is not None:
            raise raised
