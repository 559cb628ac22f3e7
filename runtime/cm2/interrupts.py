"""Being told to stop: once or several times, a command ends once, in order.

Ctrl-C ends it with the exit code 130. SIGTERM, by which schedulers and containers stop what they
run, does the same with 143: files are kept, child processes and temporary folders are not.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

TOGETHER = 1.0
"""Seconds in which further interrupts are of the same wish to stop."""

Handler = Callable[[int, FrameType | None], object]

_told_by: set[int] = {signal.SIGINT}
_ended_by: int = signal.SIGINT


@contextmanager
def raised_once(*, is_process: bool, terminated: bool) -> Iterator[None]:
    """Interrupts that come together raise one KeyboardInterrupt, and do not disturb the clean-up.

    Where this is all that the process does, they are ignored afterwards, when all is said and only
    the process has to end; else they are what they were. With `terminated`, SIGTERM is one, and
    ends the process at once where it comes again. Whoever has set a handler of their own, or
    ignores interrupts, as shells do for what runs behind, keeps it that way.
    """
    if not _in_main_thread():
        yield
        return
    last = -math.inf

    def handle(number: int, frame: FrameType | None) -> None:
        global _ended_by
        nonlocal last
        before, last = last, time.monotonic()
        if last - before <= TOGETHER:
            return
        if number == signal.SIGTERM and before > -math.inf:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        _ended_by = number
        raise KeyboardInterrupt

    usual: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler}
    if terminated:
        usual[signal.SIGTERM] = signal.SIG_DFL
    ours = [number for number, unset in usual.items() if signal.getsignal(number) == unset]
    for number in ours:
        signal.signal(number, handle)
    _told_by.update(ours)
    try:
        yield
    finally:
        _told_by.discard(signal.SIGTERM)
        for number in ours:
            ignored = is_process and number == signal.SIGINT
            signal.signal(number, signal.SIG_IGN if ignored else usual[number])


def ignore() -> int:
    """From here on the process ends by itself, and no Ctrl-C hastens it; the exit code."""
    if _in_main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return 128 + _ended_by


def handled() -> dict[int, Handler]:
    """The handlers that interrupt this thread, by their signals."""
    if not _in_main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in _told_by}
    return {number: handler for number, handler in found.items() if callable(handler)}


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
