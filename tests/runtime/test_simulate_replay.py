"""Replay: recorded results, given where the recording fits what has happened."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from simulated import ACCOUNT, ask, recording, replay_world, text, without_effects

from cm2.simulate.arguments import canonical, normalise

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
