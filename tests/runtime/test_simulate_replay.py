"""Replay: recorded results, given where the recording fits what has happened."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import (
    ACCOUNT,
    REPLAY,
    ask,
    python_world,
    recording,
    replay_world,
    text,
    without_effects,
)

from cm2.simulate import Answer, SimulationError, Simulator, World
from cm2.simulate.arguments import canonical, normalise
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import ir

A = {"account": "a"}
PAY = {"account": "a", "amount": 30}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def shuffled(value: object) -> object:
    """The same JSON value with its keys the other way round and its integers as floats."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return [shuffled(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value


@given(st.dictionaries(st.text("abc", max_size=2), json_values, max_size=3))
def test_key_order_and_number_forms_make_no_difference(arguments: dict[str, object]) -> None:
    other = shuffled(arguments)
    assert isinstance(other, dict)
    assert canonical(arguments) == canonical(other)
    assert json.loads(canonical(arguments)) == normalise(arguments)


@given(json_values, json_values)
def test_different_arguments_have_different_forms(one: object, other: object) -> None:
    same = json.dumps(normalise(one), sort_keys=True) == json.dumps(
        normalise(other), sort_keys=True
    )
    assert (canonical({"x": one}) == canonical({"x": other})) == same


def test_true_is_not_one() -> None:
    assert canonical({"x": True}) != canonical({"x": 1})


def test_a_recorded_call_gets_its_recorded_result() -> None:
    world = replay_world(recording("t", ("pay", PAY, '{"paid": 30}')))
    answer = ask(world, "pay", amount=30.0, account="a")
    assert (answer.text, answer.source) == ('{"paid": 30}', "replay")


def test_recordings_of_another_task_or_row_answer_nothing() -> None:
    world = replay_world(
        recording("t/other", ("balance", A, "1")), recording("u", ("balance", A, "2"))
    )
    assert ask(world, "balance", **A).source == "nobody"


def test_a_read_is_replayed_in_the_state_in_which_it_was_recorded() -> None:
    recorded = recording(
        "t", ("balance", A, "100"), ("pay", PAY, "{}"), ("balance", A, "70"), ("pay", PAY, "{}")
    )
    world = replay_world(recorded)
    assert text(world, "balance", **A) == "100"
    assert text(world, "balance", **A) == "100"
    ask(world, "pay", **PAY)
    assert text(world, "balance", **A) == "70"
    ask(world, "pay", **PAY)
    assert ask(world, "balance", **A).source == "nobody"  # this state was never recorded


def test_a_state_can_be_reached_by_other_reads_and_by_failed_writes() -> None:
    recorded = recording("t", ("balance", A, "100"), ("pay", PAY, "{}"), ("balance", A, "70"))
    world = replay_world(recorded)
    ask(world, "balance", account="unknown")
    ask(world, "pay", account="unknown", amount=1)
    ask(world, "pay", **PAY)
    assert text(world, "balance", **A) == "70"


def test_a_recorded_write_that_failed_changed_nothing() -> None:
    recorded = recording("t", ("pay", PAY, '{"error": "locked"}'), ("balance", A, "100"))
    assert text(replay_world(recorded), "balance", **A) == "100"


def test_repeated_reads_give_the_recorded_results_in_order_and_then_the_last() -> None:
    world = replay_world(recording("t", ("balance", A, "1"), ("balance", A, "2")))
    assert [text(world, "balance", **A) for _ in range(4)] == ["1", "2", "2", "2"]


def test_without_effects_the_nth_call_gets_the_nth_recorded_result_and_no_more() -> None:
    recorded = recording("t", ("balance", A, "1"), ("pay", PAY, "{}"), ("balance", A, "2"))
    world = replay_world(recorded, tools=without_effects(ACCOUNT))
    assert [text(world, "balance", **A) for _ in range(2)] == ["1", "2"]
    assert ask(world, "balance", **A).source == "nobody"


def test_of_recordings_that_disagree_the_earlier_one_holds() -> None:
    world = replay_world(recording("t", ("balance", A, "1")), recording("t", ("balance", A, "2")))
    assert text(world, "balance", **A) == "1"


def test_several_recordings_of_a_task_complete_each_other() -> None:
    world = replay_world(
        recording("t", ("balance", A, "1")), recording("t", ("balance", {"account": "b"}, "2"))
    )
    assert [text(world, "balance", account=name) for name in "ba"] == ["2", "1"]


# --- users, and why -------------------------------------------------------------------------------

PHONE = (
    ir.Tool(name="toggle", parameters={"type": "object"}, effect="write"),
    ir.Tool(name="balance", parameters={"type": "object"}, effect="read"),
)


def with_user(*turns: Turn) -> World:
    recorded = Trajectory("r", "t", turns)
    return Simulator(ACCOUNT, (REPLAY,), Path(), [recorded], user_tools=PHONE).world("t")


def call(tool: str, arguments: dict[str, object], result: str, failed: bool | None = None) -> Call:
    return Call(f"{tool}{result}", tool, arguments, json.dumps(arguments), result, failed)


def acts(*calls: Call) -> Turn:
    return Turn("so", acts=calls)


def says(*calls: Call) -> Turn:
    return Turn("so", (Step(calls=calls),))


def by_user(world: World, tool: str, **arguments: object) -> Answer:
    return asyncio.run(world.call(tool, arguments, "user"))


def test_the_users_calls_are_replayed_apart_from_the_agents() -> None:
    world = with_user(acts(call("balance", {}, "mine")), says(call("balance", A, "yours")))
    assert by_user(world, "balance").text == "mine"
    assert text(world, "balance", **A) == "yours"
    assert by_user(world, "balance", account="a").source == "nobody"
    assert "unknown tool; there are toggle, balance" in by_user(world, "pay").text
    assert "unknown tool; there are balance, pay" in ask(world, "toggle").text


def test_what_the_user_writes_changes_what_the_agent_reads_and_the_other_way_round() -> None:
    world = with_user(
        says(call("balance", A, "1")),
        acts(call("toggle", {}, "on"), call("balance", {}, "x")),
        says(call("balance", A, "2"), call("pay", PAY, "{}"), call("balance", A, "3")),
        acts(call("balance", {}, "y")),
    )
    assert text(world, "balance", **A) == "1"
    by_user(world, "toggle")
    assert [text(world, "balance", **A), by_user(world, "balance").text] == ["2", "x"]
    ask(world, "pay", **PAY)
    assert [text(world, "balance", **A), by_user(world, "balance").text] == ["3", "y"]


def test_an_answer_says_which_recording_gave_it_and_which_occurrence_it_was() -> None:
    recorded = recording("t", ("balance", A, "1"), ("pay", PAY, "{}"), ("balance", A, "2"))
    world = replay_world(recorded)
    assert ask(world, "balance", **A).why == "recording `r`, t0.s0.tool_call: call 1 after 0 writes"
    ask(world, "pay", **PAY)
    assert ask(world, "balance", **A).why == "recording `r`, t0.s2.tool_call: call 1 after 1 write"
    assert ask(world, "balance", **A).why.endswith(
        "t0.s2.tool_call: call 2 after 1 write, the last one"
    )
    stateless = replay_world(recorded, tools=without_effects(ACCOUNT))
    ask(stateless, "balance", **A)
    assert ask(stateless, "balance", **A).why == "recording `r`, t0.s2.tool_call: call 2"


def test_where_nobody_answers_it_is_said_why() -> None:
    recorded = recording("t", ("pay", PAY, "{}"), ("balance", A, "2"))
    world = replay_world(recorded)
    assert ask(world, "balance", **A).why == "replay: not recorded in this state"
    assert ask(world, "balance", account="b").why == (
        "replay: `balance` is not recorded with these arguments"
    )
    assert ask(replay_world(), "pay", **PAY).why == "replay: nothing is recorded for this task"
    one = replay_world(recorded, tools=without_effects(ACCOUNT))
    ask(one, "balance", **A)
    assert ask(one, "balance", **A).why == "replay: not recorded that often"
    paid = replay_world(recording("t", ("pay", PAY, "{}")))
    assert ask(paid, "balance", **A).why == "replay: `balance` is not recorded"


def test_what_a_recording_says_of_a_result_is_replayed_with_it() -> None:
    """A result that reads as none is an error where the dialogue says so, and the reverse."""
    odd = call("pay", PAY, "not today", failed=True)
    fine = call("balance", A, '{"error": "code 5 is a colour"}', failed=False)
    world = replay_world(Trajectory("r", "t", (says(odd), says(fine))))
    assert ask(world, "pay", **PAY).failed is True
    assert ask(world, "balance", **A).failed is False  # the payment that failed is no write


# --- other spellings, and what is left out --------------------------------------------------------

CITY = {"type": "string", "x-aliases": {"PEK": ["Beijing", "北京"], "SHA": ["Shanghai"]}}
TRIP = ir.Tool(
    name="trip",
    parameters={
        "type": "object",
        "properties": {
            "to": CITY,
            "via": {"type": "array", "items": CITY},
            "leg": {"type": "object", "properties": {"from": CITY}},
            "either": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/city"}]},
            "seats": {"type": "integer", "default": 1},
            "fare": {"type": "object", "properties": {"class": {"type": "string", "default": "Y"}}},
            "note": {"type": "string", "default": None},
        },
        "$defs": {"city": CITY},
    },
    effect="read",
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"to": "PEK"}, {"to": "北京"}),
        ({"via": ["PEK", "SHA"]}, {"via": ["Beijing", "Shanghai"]}),
        ({"leg": {"from": "SHA"}}, {"leg": {"from": "Shanghai"}}),
        ({"either": "PEK"}, {"either": "Beijing"}),
        ({"to": "PEK"}, {"to": "PEK", "seats": 1}),
        ({"seats": 1.0}, {}),
        ({"fare": {}}, {"fare": {"class": "Y"}}),
    ],
)
def test_calls_that_mean_the_same_are_one_call(one: dict[str, Any], other: dict[str, Any]) -> None:
    for recorded, called in ((one, other), (other, one)):
        world = replay_world(recording("t", ("trip", recorded, "fine")), tools=(TRIP,))
        assert text(world, "trip", **called) == "fine"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"to": "PEK"}, {"to": "beijing"}),
        ({"to": "Beijing "}, {"to": "Beijing"}),
        ({}, {"seats": 2}),
        ({}, {"fare": {}}),
        ({"via": ["PEK", "SHA"]}, {"via": ["SHA", "PEK"]}),
    ],
)
def test_calls_that_are_merely_alike_are_different(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    world = replay_world(recording("t", ("trip", one, "fine")), tools=(TRIP,))
    assert ask(world, "trip", **other).source == "nobody"


def test_backends_get_the_value_that_a_spelling_stands_for_and_the_default(tmp_path: Path) -> None:
    code = "def trip(state, **given):\n    return given\n"
    world = python_world(tmp_path, code, tools=(TRIP,))
    assert json.loads(text(world, "trip", to="北京", via=["Shanghai"], fare={})) == {
        "to": "PEK",
        "via": ["SHA"],
        "fare": {"class": "Y"},
        "seats": 1,
    }
    (event,) = world.log
    assert event.arguments == {"to": "北京", "via": ["Shanghai"], "fare": {}}


def test_a_default_that_makes_a_call_wrong_is_not_filled_in(tmp_path: Path) -> None:
    tool = ir.Tool(
        name="trip",
        parameters={
            "type": "object",
            "properties": {"to": {"type": "string", "default": "PEK"}, "id": {"type": "string"}},
            "maxProperties": 1,
        },
    )
    world = python_world(tmp_path, "def trip(state, **given):\n    return given\n", tools=(tool,))
    assert text(world, "trip", id="7") == '{"id":"7"}'


def test_a_schema_that_refers_to_itself_has_an_end() -> None:
    node = {"properties": {"next": {"$ref": "#"}, "to": CITY, "n": {"default": 1}}}
    tool = ir.Tool(name="walk", parameters={"type": "object", **node})
    recorded = recording("t", ("walk", {"next": {"to": "PEK"}}, "fine"))
    world = replay_world(recorded, tools=(tool,))
    assert text(world, "walk", next={"to": "Beijing", "n": 1}) == "fine"


def test_a_wrong_alias_is_a_fault_of_the_spec() -> None:
    schema = {"properties": {"to": {"type": "string", "x-aliases": {"PEK": "Beijing"}}}}
    with pytest.raises(SimulationError, match="`x-aliases` of `to` gives `PEK` the spellings"):
        replay_world(tools=(ir.Tool(name="trip", parameters=schema),))
