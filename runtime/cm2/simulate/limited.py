"""Running somebody's function without waiting for it longer than agreed."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class _Overrun(BaseException):
    """Raised inside a function that is out of time; no Exception, so that it is not caught."""


async def limited(function: Callable[[], Any], seconds: float) -> tuple[Any, BaseException | None]:
    """What `function` returned, and what it raised.

    It runs in a thread of its own, so that other coroutines go on. Raises TimeoutError when it
    takes longer than `seconds`: it is then interrupted, at its next bytecode; what hangs in C code
    is left behind in its daemon thread.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def run() -> None:
        pair: tuple[Any, BaseException | None]
        try:
            pair = function(), None
        except _Overrun:
            return
        except BaseException as error:  # whatever it is, it is the caller's to judge
            pair = None, error
        with suppress(RuntimeError):  # the loop may have been closed meanwhile
            loop.call_soon_threadsafe(finish, pair)

    def finish(pair: tuple[Any, BaseException | None]) -> None:
        if not outcome.done():
            outcome.set_result(pair)

    thread = threading.Thread(target=run, name="cm2-backend", daemon=True)
    thread.start()
    try:
        return await asyncio.wait_for(outcome, seconds)
    except TimeoutError:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Overrun)
        )
        raise
