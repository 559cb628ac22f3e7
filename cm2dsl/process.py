"""How the process of a command ends: interrupted, or where its output cannot be written."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

INTERRUPTED = 130
"""The exit code of what ctrl-C has ended, as shells have it."""
UNWRITTEN = 2
"""The exit code of what could not say all that it had to say."""
LEFT = 1
"""The exit code where the reader of a pipe has left, as click has it."""

STREAMS = (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""For a stream that is closed: what stands for it. It is opened the wrong way round, so that its
use fails; what is said on a standard error that is closed is lost."""


@contextmanager
def ending(is_process: bool) -> Iterator[None]:
    """What ends in here by ctrl-C, or by an output that cannot be written, ends with one line.

    `is_process`: the process has nothing else to do, so its streams may be changed.
    """
    if is_process:
        _open_closed_streams()
    try:
        with interruptible(is_process):
            yield
    except OSError as error:
        code = _say(error)
        if is_process:
            _let_go_of_output()
        raise SystemExit(code) from None
    finally:
        if is_process:
            _ignore_interrupts()  # all is said, and it ends by itself


@contextmanager
def interruptible(is_process: bool) -> Iterator[None]:
    """Ctrl-C in here ends with a line and the exit code for it."""
    try:
        yield
    except KeyboardInterrupt:
        if is_process:
            _ignore_interrupts()  # a second one would only disturb
        click.echo("interrupted", err=True)
        raise SystemExit(INTERRUPTED) from None


def _ignore_interrupts() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _say(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        return LEFT
    reason = (error.strerror or "it failed").lower()
    what = "write the output" if error.filename is None else f"use `{error.filename}`"
    with suppress(OSError):  # it may be standard error that cannot be written
        click.echo(f"Error: cannot {what}: {reason}", err=True)
    return UNWRITTEN


def _open_closed_streams() -> None:
    """Put something in the place of closed streams; else the next file would get their number."""
    for name, mode, flags in STREAMS:
        if getattr(sys, name) is None:
            number = os.open(os.devnull, flags)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _let_go_of_output() -> None:
    """Have Python's last flush go nowhere: what is left cannot be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
