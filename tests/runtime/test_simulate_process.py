"""The process of a backend: what it cannot reach, and that it hurts no rollout but the guilty."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from simulated import ACCOUNT, ask, python_world, text

from cm2.simulate import SimulationError, Simulator, ToolFailure, World
from cm2dsl import ir

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux isolates a process")
BANK = """
import ctypes, os, signal, socket, sys, time

def initial(row):
    return {"money": 100}

def pay(state, account, amount, note=None):
    state["money"] -= amount
    return state["money"]

def balance(state, account):
    if account == "exits":
        os._exit(3)
    if account == "crashes":
        ctypes.string_at(0)
    if account == "loops":
        while True:
            try:
                pass
            except Exception:
                pass
    if account == "hangs":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        while True:
            pass
    if account == "sleeps":
        time.sleep(0.3)
    if account == "eats":
        return len(bytearray(8 << 30))
    if account == "prints":
        print("a word", file=sys.stderr)
        print("a word more")
        os.write(1, b"words past Python")
    if account == "environment":
        return dict(os.environ)
    if account == "folder":
        return os.listdir()
    if account == "connects":
        socket.create_connection(("127.0.0.1", %d), timeout=5)
    return state["money"]
"""
GUILTY = {
    "exits": "bank.py: the process of `balance` ended with exit code 3",
    "crashes": "bank.py:15: the process of `balance` was ended by SIGSEGV",
    "loops": "bank.py: `balance` took longer than 0.2 seconds",
    "hangs": "bank.py: `balance` took longer than 0.2 seconds, and could not be interrupted",
    "eats": "bank.py:29: MemoryError (in `balance`)",
}


def bank(folder: Path, seconds: float = 0.2, code: str = BANK % 9) -> Simulator:
    (folder / "bank.py").write_text(code, encoding="utf-8")
    chain = (ir.PythonBackend(file="bank.py"),)
    return Simulator(ACCOUNT, chain, folder, allow_python=True, seconds=seconds)


def process(simulator: Simulator) -> int:
    """The process's id."""
    (module,) = simulator._modules.values()
    assert module._process is not None
    return module._process._process.pid


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while is_there(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_there(pid)


@LINUX
@pytest.mark.parametrize("what", GUILTY)
def test_only_the_guilty_rollout_ends_and_the_others_keep_their_state(
    tmp_path: Path, what: str
) -> None:
    simulator = bank(tmp_path)
    others = [simulator.world("t") for _ in range(3)]
    for number, world in enumerate(others):
        assert text(world, "pay", account="a", amount=number) == str(100 - number)
    guilty = simulator.world("t")
    with pytest.raises(ToolFailure) as failure:
        ask(guilty, "balance", account=what)
    assert str(failure.value) == GUILTY[what]
    with pytest.raises(ToolFailure):
        ask(guilty, "balance", account="a")
    for number, world in enumerate(others):
        assert text(world, "balance", account="a") == str(100 - number)


def test_rollouts_that_wait_for_a_slow_one_are_answered_when_it_is_out_of_time(
    tmp_path: Path,
) -> None:
    simulator = bank(tmp_path)

    async def play() -> tuple[list[Any], float]:
        start = time.monotonic()
        calls = [simulator.world("t").call("balance", {"account": a}) for a in ("loops", *"abcdef")]
        found = await asyncio.gather(*calls, return_exceptions=True)
        return found, time.monotonic() - start

    found, seconds = asyncio.run(play())
    assert isinstance(found[0], ToolFailure)
    assert [answer.text for answer in found[1:]] == ["100"] * 6
    assert seconds < 2


def test_waiting_for_others_is_no_part_of_a_calls_time(tmp_path: Path) -> None:
    simulator = bank(tmp_path, seconds=0.5)

    async def play() -> list[str]:
        calls = [simulator.world("t").call("balance", {"account": "sleeps"}) for _ in range(4)]
        return [answer.text for answer in await asyncio.gather(*calls)]

    assert asyncio.run(play()) == ["100"] * 4


def test_a_state_that_cannot_be_made_again_masks_its_rollout(tmp_path: Path) -> None:
    code = (BANK % 9).replace('return {"money": 100}', 'return {"money": time.monotonic()}')
    simulator = bank(tmp_path, code=code)
    world = simulator.world("t")
    ask(world, "pay", account="a", amount=1)
    with pytest.raises(ToolFailure):
        ask(simulator.world("t"), "balance", account="exits")
    with pytest.raises(ToolFailure, match=r"`pay` gave another result .* is not deterministic"):
        ask(world, "balance", account="a")


def test_chance_goes_on_where_it_was_when_a_state_is_made_again(tmp_path: Path) -> None:
    code = """
import os, random

def balance(state, account):
    if account == "exits":
        os._exit(3)
    if account == "none":
        raise ValueError("no such account")
    return random.random()
"""
    accounts = ("a", "none", "a")
    whole = bank(tmp_path, code=code).world("t")
    told = [text(whole, "balance", account=account) for account in accounts]
    simulator = bank(tmp_path, code=code)
    world, again = simulator.world("t"), []
    for account in accounts:
        again.append(text(world, "balance", account=account))
        with pytest.raises(ToolFailure):
            ask(simulator.world("t"), "balance", account="exits")
    assert again == told


def test_a_cancelled_call_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    simulator = bank(tmp_path, seconds=5)
    other, world = simulator.world("t"), simulator.world("t")
    assert text(other, "pay", account="a", amount=1) == "99"

    async def give_up() -> None:
        async with asyncio.timeout(0.1):
            await world.call("balance", {"account": "loops"})

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert text(other, "balance", account="a") == "99"
    assert text(world, "balance", account="a") == "100"


def test_prints_are_logged_bounded_and_no_part_of_an_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = bank(tmp_path)
    assert text(simulator.world("t"), "balance", account="prints") == "100"
    assert caplog.messages == ["bank.py printed: a word\na word more"]
    code = "def balance(state, account):\n    print('x' * 10**6)\n    return 1\n"
    world = python_world(tmp_path, code)
    for _ in range(20):
        assert text(world, "balance", account="a") == "1"
    assert sum(map(len, caplog.messages)) < 30_000
    assert caplog.messages[-1] == "backend.py: what else it prints is not shown"


def test_the_environment_has_nothing_of_ours_and_the_folder_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    world = bank(tmp_path).world("t")
    environment = json.loads(text(world, "balance", account="environment"))
    assert "SOME_API_KEY" not in environment
    assert environment["HOME"] != os.environ.get("HOME")
    assert text(world, "balance", account="folder") == "[]"


@LINUX
def test_there_is_no_network_not_even_to_this_machine(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        world = bank(tmp_path, code=BANK % server.getsockname()[1]).world("t")
        answer = ask(world, "balance", account="connects")
    assert answer.failed
    assert "OSError" in answer.text or "PermissionError" in answer.text


@LINUX
def test_where_there_are_no_namespaces_a_filter_refuses_every_socket_but_local_ones() -> None:
    code = """
    import ctypes, socket
    from cm2.sandbox.isolation import _PR_SET_NO_NEW_PRIVS, forbid_sockets
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    forbid_sockets(libc)
    socket.socket(socket.AF_UNIX).close()
    socket.socketpair()[0].close()
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
        try:
            socket.socket(family, socket.SOCK_DGRAM)
        except PermissionError:
            print("refused")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["refused"] * 3, done.stderr


OPENS = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_simulate_process import bank, process
simulator = bank(Path({folder!r}), seconds=60)
print(process(simulator), flush=True)
asyncio.run(simulator.world("t").call("balance", {{"account": "hangs"}}))
"""


@LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_backend_that_hangs_ends_with_the_process_that_started_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    code = OPENS.format(here=str(Path(__file__).parent), folder=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        time.sleep(0.2)
        assert is_there(pid)
        os.killpg(started.pid, number)
        started.wait(10)
    assert gone(pid)


def test_a_simulator_that_is_dropped_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    simulator = bank(tmp_path)
    pid = process(simulator)
    (module,) = simulator._modules.values()
    assert module._process is not None
    folder = Path(module._process._folder)
    assert folder.is_dir()
    del simulator, module
    assert gone(pid)
    assert not folder.exists()


def test_worlds_that_are_over_are_forgotten(tmp_path: Path) -> None:
    code = """
import gc

def balance(state, account):
    return len([1 for one in gc.get_objects() if type(one).__name__ == "State"])
"""
    simulator = bank(tmp_path, code=code)
    closed = simulator.world("t")
    ask(closed, "balance", account="a")
    asyncio.run(closed.close())
    for _ in range(3):
        ask(simulator.world("t"), "balance", account="a")
    assert text(simulator.world("t"), "balance", account="a") == "1"


def test_a_backend_that_is_not_allowed_is_named_with_both_ways(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(SimulationError) as refused:
        Simulator(ACCOUNT, (ir.PythonBackend(file="bank.py"),), tmp_path)
    said = str(refused.value)
    assert str(tmp_path / "bank.py") in said
    assert "--allow-python" in said
    assert f"cm2 trust add {tmp_path / 'bank.py'}" in said


def test_a_file_that_never_finishes_to_load_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cm2.simulate.python_backend._LOADING", 0.3)
    with pytest.raises(SimulationError, match=r"bank.py: it took longer than 0.3 seconds to load"):
        bank(tmp_path, code="while True:\n    pass\n")


def test_a_module_can_be_opened_inside_of_an_event_loop(tmp_path: Path) -> None:
    async def play() -> str:
        world: World = bank(tmp_path).world("t")
        return (await world.call("balance", {"account": "a"})).text

    assert asyncio.run(play()) == "100"
