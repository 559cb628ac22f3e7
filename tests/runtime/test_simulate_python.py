"""The python backend: what is an answer, what is a fault, and what one rollout cannot do."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from simulated import ACCOUNT, ask, python_world, text

from cm2.simulate import SimulationError, Simulator, ToolFailure
from cm2dsl import ir


def test_text_is_the_result_as_it_is_and_anything_else_is_json(tmp_path: Path) -> None:
    code = """
def balance(state, account):
    return "plain, not JSON" if account == "a" else {"余额": [1, None, 2.5]}
"""
    world = python_world(tmp_path, code)
    assert text(world, "balance", account="a") == "plain, not JSON"
    assert text(world, "balance", account="b") == '{"余额":[1,null,2.5]}'


def test_a_value_error_is_an_answer(tmp_path: Path) -> None:
    code = "def balance(state, account):\n    raise ValueError(f'no account {account}')\n"
    answer = ask(python_world(tmp_path, code), "balance", account="x")
    assert (answer.text, answer.source) == ('{"error":"no account x"}', "python")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {}['money']", r"backend.py:2: `balance` raised KeyError"),
        ("return 1 / 0", r"backend.py:2: `balance` raised ZeroDivisionError"),
        ("raise SystemExit", r"backend.py:2: `balance` raised SystemExit"),
        ("raise StopIteration", r"backend.py:2: `balance` raised StopIteration"),
        ("return {1, 2}", r"`balance` raised TypeError"),
        ("return float('nan')", r"`balance` raised ValueError"),
    ],
)
def test_any_other_exception_is_a_fault_that_names_its_line(
    tmp_path: Path, body: str, said: str
) -> None:
    world = python_world(tmp_path, f"def balance(state, account):\n    {body}\n")
    with pytest.raises(ToolFailure, match=said):
        ask(world, "balance", account="a")


def test_a_fault_in_initial_is_a_fault_of_the_first_call(tmp_path: Path) -> None:
    code = (
        "def initial(row):\n    return row['money']\n\ndef balance(state, account):\n    return 1\n"
    )
    with pytest.raises(ToolFailure, match=r"backend.py:2: `initial` raised KeyError: 'money'"):
        ask(python_world(tmp_path, code, row={}), "balance", account="a")


def test_a_call_that_never_ends_is_interrupted(tmp_path: Path) -> None:
    code = """
def balance(state, account):
    while True:
        try:
            pass
        except Exception:
            pass
"""
    world = python_world(tmp_path, code, seconds=0.2)
    before = threading.active_count()
    with pytest.raises(ToolFailure, match=r"`balance` took longer than 0.2 seconds"):
        ask(world, "balance", account="a")
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() == before


def test_other_rollouts_go_on_while_one_waits(tmp_path: Path) -> None:
    code = "import time\n\ndef balance(state, account):\n    time.sleep(0.3)\n    return 1\n"
    (tmp_path / "slow.py").write_text(code, encoding="utf-8")
    simulator = Simulator(ACCOUNT, (ir.PythonBackend(file="slow.py"),), tmp_path)

    async def play() -> float:
        start = time.monotonic()
        worlds = [simulator.world("t") for _ in range(8)]
        await asyncio.gather(*(world.call("balance", {"account": "a"}) for world in worlds))
        return time.monotonic() - start

    assert asyncio.run(play()) < 1.5


def test_a_state_is_a_copy_even_where_initial_returns_shared_data(tmp_path: Path) -> None:
    code = """
SHARED = {"accounts": {"a": [100]}}

def initial(row):
    return SHARED

def pay(state, account, amount, note=None):
    state["accounts"][account][0] -= amount
    return state["accounts"][account]
"""
    (tmp_path / "bank.py").write_text(code, encoding="utf-8")
    simulator = Simulator(ACCOUNT, (ir.PythonBackend(file="bank.py"),), tmp_path)
    for _ in range(2):
        assert text(simulator.world("t"), "pay", account="a", amount=30) == "[70]"


def test_a_result_is_what_it_was_when_it_was_given(tmp_path: Path) -> None:
    code = """
def initial(row):
    return {"money": 5}

def balance(state, account):
    return state

def pay(state, account, amount, note=None):
    state["money"] = 0
    return state
"""
    world = python_world(tmp_path, code)
    first = ask(world, "balance", account="a")
    ask(world, "pay", account="a", amount=5)
    assert first.text == '{"money":5}'


def test_without_initial_the_state_is_an_empty_dictionary(tmp_path: Path) -> None:
    code = (
        "def balance(state, account):\n    state['n'] = state.get('n', 0) + 1\n    return state\n"
    )
    world = python_world(tmp_path, code)
    assert [text(world, "balance", account="a") for _ in range(2)] == ['{"n":1}', '{"n":2}']


def test_what_the_file_imports_answers_no_tool(tmp_path: Path) -> None:
    code = "from re import search as balance\n\ndef helper(state, account):\n    return 1\n"
    world = python_world(tmp_path, code)
    assert ask(world, "balance", account="a").source == "nobody"
    assert ask(world, "helper", account="a").source == "schema"


def test_dataclasses_work_in_a_backend(tmp_path: Path) -> None:
    code = """
from __future__ import annotations
from dataclasses import dataclass

@dataclass
class Account:
    money: int

def initial(row):
    return Account(row["money"])

def balance(state: Account, account: str) -> dict:
    return {"money": state.money}
"""
    assert (
        text(python_world(tmp_path, code, row={"money": 3}), "balance", account="a")
        == '{"money":3}'
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def balance(state, name):\n    return 1\n",
            r"backend.py:1: `balance` cannot be called with",
        ),
        ("def balance(state):\n    return 1\n", r"\(state, account\), as the schema of the tool"),
        (
            "def balance(state, account, pin):\n    return 1\n",
            r"missing a required argument: 'pin'",
        ),
        ("def balance(\n", r"`the file` raised SyntaxError"),
        ("import no_such_module_at_all\n", r"backend.py:1: `the file` raised ModuleNotFoundError"),
    ],
)
def test_a_backend_that_does_not_fit_the_tools_ends_the_run_at_once(
    tmp_path: Path, code: str, said: str
) -> None:
    with pytest.raises(SimulationError, match=said):
        python_world(tmp_path, code)


def test_loading_a_backend_leaves_nothing_beside_it(tmp_path: Path) -> None:
    python_world(tmp_path, "def balance(state, account):\n    return 1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["backend.py"]


def test_a_missing_backend_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"gone\.py: there is no such file"):
        Simulator(ACCOUNT, (ir.PythonBackend(file="gone.py"),), tmp_path)
