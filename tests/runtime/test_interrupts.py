"""SIGTERM ends a command in order, once, and at once where it comes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

PROGRAM = """
import os, signal, time
from cm2.commands.interrupts import TOGETHER, ignore, raised_once

def told():
    os.kill(os.getpid(), signal.SIGTERM)

with raised_once(is_process=True):
    try:
        told()
        told()
        time.sleep(5)
    except KeyboardInterrupt:
        print("tidies up", ignore(), flush=True)
        told()
        print("goes on", flush=True)
        time.sleep(1.1 * TOGETHER)
        told()
        time.sleep(5)
        print("is not reached", flush=True)
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_interrupts_once_and_ends_at_once_when_it_comes_again() -> None:
    done = run()
    assert done.stdout == "tidies up 143\ngoes on\n", done.stderr
    assert done.returncode == -signal.SIGTERM


def test_one_process_of_several_ends_at_once() -> None:
    done = run(WORLD_SIZE="2")
    assert done.stdout == ""
    assert done.returncode == -signal.SIGTERM
