"""The world: calls are checked first, backends answer in order, and everything is logged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from simulated import ACCOUNT, REPLAY, ask, python_world, recording, replay_world, text

from cm2.simulate import SimulationError, Simulator
from cm2dsl import ir

BANK = """
def initial(row):
    return {"money": row.get("money", 100)}

def balance(state, account):
    return {"money": state["money"]}

def pay(state, account, amount, note=None):
    state["money"] -= amount
    return {"paid": amount}
"""


def test_an_unknown_tool_is_told_which_tools_there_are() -> None:
    answer = ask(replay_world(), "transfer", account="a")
    assert answer.text == '{"error":"unknown tool; there are balance, pay"}'
    assert answer.source == "schema"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "`account` is missing: expected a string"),
        ({"account": 5}, "`account` is 5: expected a string"),
        ({"account": "a", "pin": "1"}, "`pin` is not known: expected only `account`"),
    ],
)
def test_arguments_are_checked_before_any_backend_sees_them(
    tmp_path: Path, arguments: dict[str, object], said: str
) -> None:
    world = python_world(tmp_path, "def balance(state, account):\n    raise RuntimeError\n")
    answer = ask(world, "balance", **arguments)
    assert answer.source == "schema"
    assert said in answer.text
    assert answer.text.startswith('{"error":')


def test_arguments_that_json_cannot_hold_are_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"deeper": deep}
    for note in ({"x": float("nan")}, {"x": float("inf")}, {"x": "\ud800"}, deep):
        world = replay_world()
        answer = ask(world, "pay", account="a", amount=1, note=note)
        assert answer.text == '{"error":"the arguments are no JSON object"}'


def test_arguments_that_were_no_object_are_refused() -> None:
    world = replay_world()
    answer = asyncio.run(world.call("balance", None))
    assert answer.text == '{"error":"the arguments are no JSON object"}'
    assert answer.source == "schema"


def test_a_long_complaint_is_cut() -> None:
    assert len(text(replay_world(), "balance", account=["x" * 5000])) < 250


def test_the_first_backend_that_has_an_answer_gives_it(tmp_path: Path) -> None:
    recorded = recording("t", ("balance", {"account": "a"}, '{"money":7}'))
    world = python_world(tmp_path, BANK, recordings=[recorded])
    assert ask(world, "balance", account="a").source == "replay"
    assert text(world, "balance", account="b") == '{"money":100}'
    assert [event.answer.source for event in world.log] == ["replay", "python"]


def test_a_write_that_was_replayed_also_happens_in_the_python_backend(tmp_path: Path) -> None:
    recorded = recording("t", ("pay", {"account": "a", "amount": 30}, '{"paid":30}'))
    world = python_world(tmp_path, BANK, recordings=[recorded])
    assert ask(world, "pay", account="a", amount=30).source == "replay"
    assert text(world, "balance", account="a") == '{"money":70}'


def test_without_any_answer_the_tool_reports_an_error() -> None:
    answer = ask(replay_world(), "balance", account="a")
    assert answer.text == '{"error":"balance has no answer to this"}'
    assert answer.source == "nobody"


def test_the_llm_backend_ends_the_run_only_when_a_call_reaches_it(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(BANK.replace("def pay", "def repay"), encoding="utf-8")
    chain = (REPLAY, ir.PythonBackend(file="bank.py"), ir.LLMBackend(examples=2))
    world = Simulator(ACCOUNT, chain, tmp_path, allow_python=True).world("t", {})
    assert ask(world, "balance", account="a").source == "python"
    with pytest.raises(SimulationError, match="`pay` fell through to the `llm` backend"):
        ask(world, "pay", account="a", amount=1)


def test_parameters_that_are_no_schema_are_a_fault_of_the_spec() -> None:
    tool = ir.Tool(name="odd", parameters={"type": "strange"})
    with pytest.raises(SimulationError, match="tool `odd` are no JSON Schema"):
        Simulator((tool,), (REPLAY,), Path())


def test_a_reference_within_the_schema_is_followed() -> None:
    text = {"type": "object", "properties": {"x": {"$ref": "#/$defs/short"}}}
    tool = ir.Tool(name="t", parameters={**text, "$defs": {"short": {"maxLength": 2}}})
    world = Simulator((tool,), (REPLAY,), Path()).world("t")
    assert '`x` is \\"abc\\": expected at most 2 characters' in ask(world, "t", x="abc").text


@pytest.mark.parametrize("reference", ["http://127.0.0.1:1/schema.json", "#/$defs/gone"])
def test_a_reference_to_another_place_is_refused_and_not_fetched(reference: str) -> None:
    tool = ir.Tool(name="far", parameters={"properties": {"x": {"$ref": reference}}})
    with pytest.raises(SimulationError, match="tool `far` refer to"):
        Simulator((tool,), (REPLAY,), Path())


def test_rollouts_of_one_task_do_not_share_a_world(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(BANK, encoding="utf-8")
    chain = (ir.PythonBackend(file="bank.py"),)
    simulator = Simulator(ACCOUNT, chain, tmp_path, allow_python=True)
    first, second = simulator.world("t", {"money": 50}), simulator.world("t", {"money": 50})
    ask(first, "pay", account="a", amount=50)
    assert text(first, "balance", account="a") == '{"money":0}'
    assert text(second, "balance", account="a") == '{"money":50}'


def test_the_same_calls_get_the_same_answers_in_every_world(tmp_path: Path) -> None:
    def play() -> list[str]:
        world = python_world(tmp_path, BANK, row={"money": 9})
        return [
            text(world, "balance", account="a"),
            text(world, "pay", account="a", amount=4.0),
            text(world, "balance", account="a"),
            text(world, "nothing"),
        ]

    assert play() == play()
    assert play()[1:3] == ['{"paid":4}', '{"money":5}']
