"""The world: calls are checked first, backends answer in order, and everything is logged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import ACCOUNT, REPLAY, ask, python_world, recording, replay_world, text

from cm2.simulate import SimulationError, Simulator
from cm2.trajectory import Call, Step, Trajectory, Turn, has_failed
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


def test_an_llm_backend_that_no_model_plays_ends_the_run_only_when_a_call_reaches_it(
    tmp_path: Path,
) -> None:
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


# --- what is said of a wrong call -----------------------------------------------------------------

EVERYTHING = ir.Tool(
    name="book",
    parameters={
        "type": "object",
        "properties": {
            "cabin": {"enum": ["economy", "business"]},
            "seats": {"type": "integer", "minimum": 1, "maximum": 9},
            "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "step": {"type": "integer", "multipleOf": 5},
            "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "name": {"type": "string", "minLength": 1, "maxLength": 5},
            "people": {
                "type": "array",
                "minItems": 1,
                "maxItems": 2,
                "uniqueItems": True,
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                },
            },
            "date": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "fixed": {"const": "x"},
            "extra": {"type": "object", "properties": {}, "additionalProperties": False},
            "marked": {
                "type": "object",
                "patternProperties": {"^x-": {}},
                "additionalProperties": False,
            },
            "way": {
                "oneOf": [
                    {"type": "object", "required": ["train"], "title": "by rail"},
                    {"type": "object", "required": ["flight", "seat"], "title": "by air"},
                ]
            },
        },
        "required": ["cabin", "seats"],
    },
)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cabin": None}, '`cabin` is null: expected one of "economy", "business"'),
        ({"cabin": ...}, '`cabin` is missing: expected one of "economy", "business"'),
        ({"cabin": ..., "seats": ...}, "`cabin`, `seats` are missing"),
        ({"seats": "2"}, '`seats` is "2": expected a whole number'),
        ({"seats": 1.5}, "`seats` is 1.5: expected a whole number"),
        ({"seats": 0}, "`seats` is 0: expected at least 1"),
        ({"seats": 10}, "`seats` is 10: expected at most 9"),
        ({"share": 0}, "`share` is 0: expected more than 0"),
        ({"share": 1}, "`share` is 1: expected less than 1"),
        ({"step": 7}, "`step` is 7: expected a multiple of 5"),
        ({"code": "pek"}, '`code` is "pek": expected text that matches ^[A-Z]{3}$'),
        ({"name": ""}, '`name` is "": expected at least 1 character'),
        ({"name": "123456"}, '`name` is "123456": expected at most 5 characters'),
        ({"people": []}, "`people` is []: expected at least 1 element"),
        ({"people": [{"name": "A"}, {"name": "A"}]}, "expected no element twice"),
        ({"people": [{"name": "A"}, {}]}, "`people[1].name` is missing: expected a string"),
        ({"people": ["A"]}, '`people[0]` is "A": expected an object'),
        ({"date": 5}, "`date` is 5: expected a string or null"),
        ({"fixed": "y"}, '`fixed` is "y": expected "x"'),
        ({"extra": {"a": 1, "b": 2}}, "`extra.a`, `extra.b` are not known: expected none"),
        ({"way": {}}, "`way.train` is missing"),
        ({"marked": {"x-a": 1, "y": 2}}, "`marked.y` is not known: expected none"),
        ({"code": "x" * 500}, '`code` is "xxxxxx'),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_is_and_what_was_expected(
    given: dict[str, object], said: str
) -> None:
    world = replay_world(tools=(EVERYTHING,))
    whole = {"cabin": "economy", "seats": 1, **given}
    answer = ask(world, "book", **{key: it for key, it in whole.items() if it is not ...})
    assert answer.source == "schema"
    assert said in json.loads(answer.text)["error"]
    assert len(answer.text) < 250


def test_a_refusal_names_the_rule_that_was_broken() -> None:
    world = replay_world(tools=(EVERYTHING,))
    assert ask(world, "book", cabin="economy", seats=0).why == "seats: minimum"
    assert ask(world, "book").why == "required"
    assert ask(world, "cook").why == "unknown tool"
    assert asyncio.run(world.call("book", None)).why == "no object"


def test_a_huge_or_bottomless_argument_is_an_error_and_no_fault(tmp_path: Path) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}, "to": {"default": 1}}}
    world = replay_world(tools=(ir.Tool(name="walk", parameters=node),))
    deep: dict[str, object] = {}
    for _ in range(400):
        deep = {"next": deep}
    assert ask(world, "walk", next=deep).source in ("nobody", "schema")
    assert ask(world, "walk", text="x" * 1_000_000).source == "nobody"
    assert len(ask(world, "w" * 1_000_000).text) < 250


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "train", "x-a", "", "é"]), inner, max_size=3)
    ),
    max_leaves=6,
)
WORLD = replay_world(tools=(EVERYTHING,))
NAMES = [*EVERYTHING.parameters["properties"], "other"]


@given(
    st.sampled_from(["book", "", "booking"]),
    st.dictionaries(st.sampled_from(NAMES), anything, max_size=6),
)
def test_whatever_is_called_is_answered_in_few_words(tool: str, given: dict[str, Any]) -> None:
    answer = ask(WORLD, tool, **given)
    assert answer.source in ("schema", "nobody")
    assert has_failed(answer.text, answer.failed)
    assert len(answer.text) < 450  # JSON may take two signs for one
    assert answer == ask(WORLD, tool, **given)


# --- the shape of errors --------------------------------------------------------------------------


def refused(*recordings: Trajectory, task: str = "t") -> str:
    world = Simulator(ACCOUNT, (REPLAY,), Path(), recordings).world(task)
    assert has_failed(ask(world, "balance").text, None)
    return ask(world, "balance").text


TEXT = ("balance", {"account": "x"}, "Error: no such account")
OBJECT = ("balance", {"account": "y"}, '{"error": "no such account"}')
MESSAGE = ("balance", {"account": "z"}, '{"error": {"message": "none", "code": 404}}')
SAID = "`account` is missing: expected a string"


def test_errors_have_the_shape_that_the_recordings_of_the_task_show() -> None:
    assert refused() == f'{{"error":"{SAID}"}}'
    assert refused(recording("t", OBJECT)) == f'{{"error":"{SAID}"}}'
    assert refused(recording("t", TEXT)) == f"Error: {SAID}"
    assert refused(recording("t", MESSAGE)) == f'{{"error":{{"message":"{SAID}"}}}}'


def test_the_most_frequent_shape_holds_and_the_first_of_equally_frequent_ones() -> None:
    assert refused(recording("t", OBJECT, TEXT, TEXT)).startswith("Error: ")
    assert refused(recording("t", TEXT, OBJECT)).startswith("Error: ")


def test_a_result_that_only_the_dialogue_calls_an_error_is_one_in_words() -> None:
    call = Call("c", "balance", {"account": "x"}, "", "no such account", failed=True)
    assert refused(Trajectory("r", "t", (Turn("a", (Step(calls=(call,)),)),))) == f"Error: {SAID}"


def test_another_row_of_the_task_shows_the_shape_where_its_own_recordings_have_none() -> None:
    rows = [recording("t/1", TEXT), recording("t/2", OBJECT), recording("u/3", TEXT)]
    assert refused(*rows, task="t/2").startswith("{")
    assert refused(*rows, task="t/9").startswith("Error: ")
    assert refused(*rows, task="v").startswith("{")
    assert refused(recording("t/3", ("balance", {"account": "a"}, "1")), *rows, task="t/3") == (
        f"Error: {SAID}"
    )


def test_a_call_without_an_answer_is_an_error_of_the_same_shape() -> None:
    world = Simulator(ACCOUNT, (REPLAY,), Path(), [recording("t", TEXT)]).world("t")
    assert text(world, "balance", account="b") == "Error: balance has no answer to this"
    assert world.error("no such thing") == "Error: no such thing"


def test_a_python_backend_that_has_no_such_function_says_so(tmp_path: Path) -> None:
    world = python_world(tmp_path, BANK.replace("def pay", "def repay"))
    assert ask(world, "pay", account="a", amount=1).why == (
        "replay: nothing is recorded for this task; python: backend.py has no `pay`"
    )
    assert ask(world, "balance", account="a").why == "`balance` of backend.py"
