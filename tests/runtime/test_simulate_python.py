"""The python backend: what is an answer, what is a fault, and what one rollout cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from simulated import ACCOUNT, ask, python_world, recording, text

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


def test_an_exception_is_an_error_of_the_tool_and_the_log_says_where(tmp_path: Path) -> None:
    code = "def balance(state, account):\n    raise ValueError(f'no account {account}')\n"
    answer = ask(python_world(tmp_path, code), "balance", account="x")
    assert (answer.text, answer.source) == ('{"error":"no account x"}', "python")
    assert answer.why == "backend.py:2: ValueError: no account x (in `balance`)"
    assert answer.failed


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {}['money']", "KeyError: 'money'"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
        ("raise StopIteration", "StopIteration"),
        ("raise ValueError", "ValueError"),
        ("raise ValueError('x' * 9999)", "x" * 1999 + "…"),
        ("raise RuntimeError('\\ud800')", r"RuntimeError: \ud800"),
        ("return balance(state, account)", "RecursionError: maximum recursion depth exceeded"),
        ("return open('/etc/no/such/file')", "FileNotFoundError: No such file or directory"),
        ("raise RuntimeError(__file__)", "RuntimeError: backend.py"),
    ],
)
def test_what_an_agent_reads_of_an_exception_names_no_folder(
    tmp_path: Path, body: str, said: str
) -> None:
    world = python_world(tmp_path, f"def balance(state, account):\n    {body}\n")
    answer = ask(world, "balance", account="a")
    assert json.loads(answer.text) == {"error": said}
    assert answer.why.startswith("backend.py:2: ")


def test_an_exception_has_the_shape_of_the_recorded_errors(tmp_path: Path) -> None:
    recorded = recording("t", ("balance", {"account": "b"}, "Error: no account b"))
    code = "def balance(state, account):\n    raise ValueError(f'no account {account}')\n"
    world = python_world(tmp_path, code, recordings=[recorded])
    assert text(world, "balance", account="x") == "Error: no account x"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise SystemExit", r"backend.py:2: SystemExit \(in `balance`\)"),
        ("raise KeyboardInterrupt", r"backend.py:2: KeyboardInterrupt"),
        ("raise MemoryError", r"backend.py:2: MemoryError"),
        ("return {1, 2}", r"backend.py: `balance` returned `set`, which is no JSON"),
        ("return float('nan')", r"backend.py: `balance` returned `float`, which is no JSON"),
        ("return '\\ud800'", r"backend.py: `balance` returned `str`, which is no JSON"),
        ("return 'x' * (5 << 20)", r"backend.py: `balance` returned 5,242,880 bytes"),
    ],
)
def test_what_breaks_the_backend_itself_is_a_fault(tmp_path: Path, body: str, said: str) -> None:
    world = python_world(tmp_path, f"def balance(state, account):\n    {body}\n")
    with pytest.raises(ToolFailure, match=said):
        ask(world, "balance", account="a")


def test_a_fault_in_initial_is_a_fault_of_the_first_call(tmp_path: Path) -> None:
    code = (
        "def initial(row):\n    return row['money']\n\ndef balance(state, account):\n    return 1\n"
    )
    with pytest.raises(ToolFailure, match=r"backend.py:2: KeyError: 'money' \(in `initial`\)"):
        ask(python_world(tmp_path, code, row={}), "balance", account="a")


def test_after_a_fault_the_rollout_gets_no_other_answer(tmp_path: Path) -> None:
    code = "def balance(state, account):\n    return {1} if account == 'a' else 1\n"
    world = python_world(tmp_path, code)
    for account in "ab":
        with pytest.raises(ToolFailure, match="no JSON"):
            ask(world, "balance", account=account)


PAYS = """
def initial(row):
    return {"money": 100, "by": ROUTES}

ROUTES = [lambda: 1] if %s else []

def balance(state, account):
    return state["money"]

def pay(state, account, amount, note=None):
    state["money"] -= amount
    if state["money"] < 0:
        raise ValueError("not enough money")
    return state["money"]
"""


@pytest.mark.parametrize("can_be_pickled", [True, False])
def test_a_call_that_failed_has_changed_nothing(tmp_path: Path, can_be_pickled: bool) -> None:
    world = python_world(tmp_path, PAYS % (not can_be_pickled))
    assert text(world, "pay", account="a", amount=130) == '{"error":"not enough money"}'
    assert text(world, "balance", account="a") == "100"
    assert text(world, "pay", account="a", amount=30) == "70"


def test_a_write_that_was_recorded_as_failed_does_not_happen(tmp_path: Path) -> None:
    recorded = recording("t", ("pay", {"account": "a", "amount": 5}, '{"error":"closed today"}'))
    world = python_world(tmp_path, PAYS % False, recordings=[recorded])
    assert ask(world, "pay", account="a", amount=5).source == "replay"
    assert text(world, "balance", account="a") == "100"


def test_chance_and_the_order_of_sets_are_the_same_in_every_rollout_and_process(
    tmp_path: Path,
) -> None:
    code = """
import random

def balance(state, account):
    return [random.random(), list({"a", "b", "c", "d"})]
"""
    first, second = python_world(tmp_path, code), python_world(tmp_path, code)
    answers = [[text(world, "balance", account="a") for _ in range(2)] for world in (first, second)]
    assert answers[0] == answers[1]
    assert answers[0][0] != answers[0][1]


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
    chain = (ir.PythonBackend(file="bank.py"),)
    simulator = Simulator(ACCOUNT, chain, tmp_path, allow_python=True)
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
        (
            "async def balance(state, account):\n    return 1\n",
            r"backend.py:1: `balance` must be a plain function",
        ),
        ("\ndef balance(\n", r"backend.py:2: SyntaxError: '\(' was never closed"),
        ("import no_such_module_at_all\n", r"backend.py:1: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", r"backend.py:1: SystemExit: 3"),
    ],
)
def test_a_backend_that_does_not_fit_the_tools_ends_the_run_at_once(
    tmp_path: Path, code: str, said: str
) -> None:
    with pytest.raises(SimulationError, match=said):
        python_world(tmp_path, code)


def _with_default(**more: object) -> tuple[ir.Tool, ...]:
    properties = {"account": {"type": "string"}, "digits": {"type": "integer", "default": 2}}
    parameters = {"type": "object", "properties": properties, "required": ["account"], **more}
    return (ir.Tool(name="balance", parameters=parameters, effect="read"),)


def test_a_function_may_need_an_argument_that_has_a_default_in_the_schema(tmp_path: Path) -> None:
    code = "def balance(state, account, digits):\n    return digits\n"
    world = python_world(tmp_path, code, tools=_with_default())
    assert text(world, "balance", account="a") == "2"
    unsure = _with_default(maxProperties=1)  # such a call cannot be filled in
    with pytest.raises(SimulationError, match="missing a required argument: 'digits'"):
        python_world(tmp_path, code, tools=unsure)


def test_loading_a_backend_leaves_nothing_beside_it(tmp_path: Path) -> None:
    python_world(tmp_path, "def balance(state, account):\n    return 1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["backend.py"]


def test_a_missing_backend_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"gone\.py: there is no such file"):
        Simulator(ACCOUNT, (ir.PythonBackend(file="gone.py"),), tmp_path)
