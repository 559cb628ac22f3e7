"""Ctrl-C: one press or several ends a command once, in order, with the exit code 130."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""The exit code of what was interrupted, as shells have it."""

TOGETHER = 1.0
"""Seconds in which further interrupts are of the same wish to stop."""


@contextmanager
def raised_once(is_process: bool) -> Iterator[None]:
    """Interrupts that come together raise one KeyboardInterrupt, and do not disturb the clean-up.

    Where this is all that the process does, they are ignored afterwards, when all is said and only
    the process has to end; else they are what they were. Whoever has set a handler of their own
    keeps it.
    """
    if not _in_main_thread() or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield
        return
    last = -math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > TOGETHER:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        after = signal.SIG_IGN if is_process else signal.default_int_handler
        signal.signal(signal.SIGINT, after)


def ignore() -> None:
    """From here on the process ends by itself, and no interrupt hastens it."""
    if _in_main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
