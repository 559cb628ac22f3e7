"""SIGTERM ends a command in order, once, and at once where it comes again."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, os, signal, time
from cm2.interrupts import TOGETHER, ignore, raised_once
from cm2.judge import interruptible

def told():
    os.kill(os.getpid(), signal.SIGTERM)

def works():
    told()
    told()
    time.sleep(5)

async def plays():
    told()
    told()
    try:
        await asyncio.sleep(5)
    finally:
        print("plays on", flush=True)

with raised_once(is_process=True, terminated=True), asyncio.Runner() as runner:
    try:
        {work}
    except KeyboardInterrupt:
        print("tidies up", ignore(), flush=True)
        told()
        print("goes on", flush=True)
        time.sleep(1.1 * TOGETHER)
        told()
        time.sleep(5)
        print("is not reached", flush=True)
"""
HANGS = """
import asyncio, os, signal, time
from cm2.interrupts import TOGETHER, raised_once
from cm2.judge import interruptible

async def hangs():
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        await asyncio.sleep(5)
    finally:
        time.sleep(1.1 * TOGETHER)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        print("is not reached", flush=True)

with raised_once(is_process=True, terminated=True), asyncio.Runner() as runner:
    interruptible.run(runner, hangs())
"""


def run(program: str, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )


BEHIND = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""How a shell starts what runs behind: with interrupts ignored."""


@pytest.mark.parametrize("before", [(), BEHIND])
@pytest.mark.parametrize(
    ("work", "said"), [("works()", ""), ("interruptible.run(runner, plays())", "plays on\n")]
)
def test_it_interrupts_once_and_ends_at_once_when_it_comes_again(
    work: str, said: str, before: tuple[str, ...]
) -> None:
    done = run(PROGRAM.format(work=work), *before)
    assert done.stdout == f"{said}tidies up 143\ngoes on\n", done.stderr
    assert done.returncode == -signal.SIGTERM


def test_what_does_not_end_when_it_is_told_to_ends_at_once_when_it_is_told_again() -> None:
    done = run(HANGS)
    assert done.stdout == ""
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize(("size", "code"), [("1", 143), ("2", -signal.SIGTERM)])
def test_one_process_of_several_ends_at_once(size: str, code: int) -> None:
    told = """
import os, signal, sys
import click
from cm2.cli import main
@main.command()
def tell():
    os.kill(os.getpid(), signal.SIGTERM)
main.get_command = lambda *_: tell
sys.argv[1:] = ["tell"]
main()
"""
    done = run(told, "env", f"WORLD_SIZE={size}")
    assert done.returncode == code, done.stderr
