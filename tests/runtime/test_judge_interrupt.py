"""An interrupt ends a judge's work in order, whoever handles interrupts."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from cm2.judge import interruptible


async def _interrupt_and_wait(ended: list[str]) -> None:
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(30)
    finally:
        await asyncio.sleep(0)
        ended.append("in order")


def _raises(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("by its own handler")


def _counts(number: int, frame: FrameType | None) -> None:
    """One that lets several presses be one, and says nothing."""


@pytest.mark.parametrize("handler", [signal.default_int_handler, _raises, _counts])
def test_work_that_is_interrupted_ends_in_order_and_the_loop_goes_on(
    handler: Callable[[int, FrameType | None], Any],
) -> None:
    before = signal.signal(signal.SIGINT, handler)
    ended: list[str] = []
    try:
        with asyncio.Runner() as runner:
            with pytest.raises(KeyboardInterrupt):
                interruptible.run(runner, _interrupt_and_wait(ended))
            assert ended == ["in order"]
            assert signal.getsignal(signal.SIGINT) is handler
            assert interruptible.run(runner, asyncio.sleep(0, "on")) == "on"
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_work_returns_and_raises_comes_out() -> None:
    async def breaks() -> None:
        raise ValueError("mine")

    with asyncio.Runner() as runner:
        assert interruptible.run(runner, asyncio.sleep(0, 7)) == 7
        with pytest.raises(ValueError, match="mine"):
            interruptible.run(runner, breaks())


def test_outside_the_main_thread_interrupts_are_left_alone() -> None:
    found: list[object] = []

    def work() -> None:
        with asyncio.Runner() as runner:
            found.append(interruptible.run(runner, asyncio.sleep(0, "done")))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert found == ["done"]
