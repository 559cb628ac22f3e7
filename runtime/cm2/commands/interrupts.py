"""Being told to stop: once or several times, a command ends once, in order.

Ctrl-C ends it with the exit code 130. SIGTERM, by which schedulers and containers stop what they
run, does the same with 143: files are kept, child processes and temporary folders are not.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cm2.commands.launched import is_one_of_several

TOGETHER = 1.0
"""Seconds in which further interrupts are of the same wish to stop."""

_ended_by = signal.SIGINT


@contextmanager
def raised_once(is_process: bool) -> Iterator[None]:
    """Interrupts that come together raise one KeyboardInterrupt, and do not disturb the clean-up.

    Where this is all that the process does, they are ignored afterwards, when all is said and only
    the process has to end, and SIGTERM is an interrupt, too; else they are what they were. Whoever
    has set a handler of their own keeps it.
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
    # One of several that waits for another, which has ended, would never come to its handler.
    if is_process and not is_one_of_several():
        _handle_terminations()
    try:
        yield
    finally:
        after = signal.SIG_IGN if is_process else signal.default_int_handler
        signal.signal(signal.SIGINT, after)


def ignore() -> int:
    """From here on the process ends by itself, and no interrupt hastens it; the exit code."""
    if _in_main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return 128 + _ended_by


def _handle_terminations() -> None:
    """SIGTERM interrupts; one that comes later than together with another ends at once."""
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return
    first = math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        global _ended_by
        nonlocal first
        now = time.monotonic()
        if now - first > TOGETHER:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        elif first == math.inf:
            first, _ended_by = now, signal.SIGTERM
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, handle)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
