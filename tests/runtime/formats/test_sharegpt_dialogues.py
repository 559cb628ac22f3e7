"""The format `sharegpt`: LLaMA-Factory's and Hermes's ways to write calls and results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cm2.formats import sharegpt
from cm2.formats.record import Record, Reject
from cm2.trajectory import Call, Trajectory, Turn

Said = tuple[str, str]
ReadOne = Callable[..., Trajectory]
RejectOne = Callable[..., Reject]


def entries(said: tuple[Said, ...]) -> list[dict[str, str]]:
    return [{"from": speaker, "value": value} for speaker, value in said]


@pytest.fixture
def one(tmp_path: Path) -> ReadOne:
    def read(*said: Said, **beside: Any) -> Trajectory:
        path = tmp_path / "talks.jsonl"
        path.write_text(json.dumps({"conversations": entries(said), **beside}) + "\n")
        (record,) = sharegpt.read(path)
        assert isinstance(record, Record), record
        return record.trajectory

    return read


@pytest.fixture
def rejected(tmp_path: Path) -> RejectOne:
    def read(value: Any) -> Reject:
        path = tmp_path / "talks.json"
        path.write_text(json.dumps([value]))
        (reject,) = sharegpt.read(path)
        assert isinstance(reject, Reject), reject
        return reject

    return read


def call(name: str, **arguments: Any) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def tagged(text: str) -> str:
    return f"<tool_call>\n{text}\n</tool_call>"


def results(turn: Turn, step: int = 0) -> list[tuple[str, str | None]]:
    return [(each.tool, each.result) for each in turn.steps[step].calls]


# --- LLaMA-Factory ----------------------------------------------------------------------------


def test_a_call_an_observation_and_a_reply_are_two_steps(one: ReadOne) -> None:
    dialogue = one(
        ("human", "Water the fern"),
        ("function_call", call("water", plant="fern", litres=0.5)),
        ("observation", '{"done": true}'),
        ("gpt", "Done."),
        system="You look after plants.",
        tools='[{"name": "water"}]',
    )
    (turn,) = dialogue.turns
    assert turn.user == "Water the fern"
    assert turn.steps[0].calls[0].arguments == {"plant": "fern", "litres": 0.5}
    assert results(turn) == [("water", '{"done": true}')]
    assert turn.steps[1].reply == "Done."
    assert dialogue.system == "You look after plants."
    assert dialogue.extra == {"tools": '[{"name": "water"}]'}


def test_a_list_of_calls_is_one_step_and_a_list_as_long_has_their_results(one: ReadOne) -> None:
    calls = f"[{call('water', plant='fern')}, {call('feed', plant='fern')}]"
    dialogue = one(("human", "Go"), ("function_call", calls), ("observation", '["wet", {"n": 1}]'))
    assert results(dialogue.turns[0]) == [("water", "wet"), ("feed", '{"n": 1}')]


def test_a_list_that_one_call_returned_stays_whole(one: ReadOne) -> None:
    dialogue = one(("human", "Go"), ("function_call", call("list")), ("observation", '["fern"]'))
    assert results(dialogue.turns[0]) == [("list", '["fern"]')]


def test_calls_and_observations_in_a_row_are_one_step(one: ReadOne) -> None:
    dialogue = one(
        ("user", "Go"),
        ("function_call", call("water")),
        ("function_call", call("feed")),
        ("observation", "wet"),
        ("observation", "fed"),
        ("assistant", "Both done."),
    )
    assert results(dialogue.turns[0]) == [("water", "wet"), ("feed", "fed")]
    assert len(dialogue.turns[0].steps) == 2


def test_calls_after_an_observation_are_a_step_of_their_own(one: ReadOne) -> None:
    dialogue = one(
        ("human", "Go"),
        ("function_call", call("water")),
        ("observation", "wet"),
        ("function_call", call("feed")),
        ("observation", "fed"),
    )
    assert [len(step.calls) for step in dialogue.turns[0].steps] == [1, 1]


def test_an_observation_of_several_results_is_split_at_its_tags(one: ReadOne) -> None:
    calls = f"[{call('water')}, {call('feed')}]"
    dialogue = one(
        ("human", "Go"),
        ("function_call", calls),
        ("observation", "wet\n</tool_response>\n<tool_response>\nfed"),
    )
    assert results(dialogue.turns[0]) == [("water", "wet"), ("feed", "fed")]


def test_a_thought_before_a_call_is_reasoning(one: ReadOne) -> None:
    value = f"<think>It looks dry.</think>\n{call('water')}"
    step = one(("human", "Go"), ("function_call", value)).turns[0].steps[0]
    assert (step.reasoning, step.reply) == ("It looks dry.", "")
    assert [each.tool for each in step.calls] == ["water"]


# --- Hermes -----------------------------------------------------------------------------------


def test_tagged_calls_are_calls_and_the_words_around_them_the_reply(one: ReadOne) -> None:
    said = f"I will.\n{tagged(call('water', plant='fern'))}\n{tagged(call('feed'))}"
    dialogue = one(
        ("system", "You look after plants."),
        ("human", "Go"),
        ("gpt", said),
        ("tool", '<tool_response>\n{"name": "feed", "content": {"n": 1}}\n</tool_response>\n'
         '<tool_response>\n{"name": "water", "content": "wet"}\n</tool_response>'),
        ("gpt", "Done."),
    )  # fmt: skip
    step = dialogue.turns[0].steps[0]
    assert step.reply == "I will."
    assert results(dialogue.turns[0]) == [("water", "wet"), ("feed", '{"n": 1}')]
    assert dialogue.system == "You look after plants."


def test_a_call_as_a_python_literal_is_read(one: ReadOne) -> None:
    said = tagged("{'arguments': {'loud': True, 'note': \"it's\", 'by': None}, 'name': 'ring'}")
    found = one(("human", "Go"), ("gpt", said)).turns[0].steps[0].calls[0]
    assert found.arguments == {"loud": True, "note": "it's", "by": None}


def test_tags_in_a_thought_are_a_thought(one: ReadOne) -> None:
    said = f"<think>Or {tagged(call('drown'))}?</think>{tagged(call('water'))}"
    step = one(("human", "Go"), ("gpt", said)).turns[0].steps[0]
    assert [each.tool for each in step.calls] == ["water"]
    assert "drown" in step.reasoning


def test_a_scratch_pad_is_reasoning(one: ReadOne) -> None:
    said = f"<scratch_pad>\nGoal: water\n</scratch_pad>\n{tagged(call('water'))}"
    step = one(("human", "Go"), ("gpt", said)).turns[0].steps[0]
    assert (step.reasoning, step.reply) == ("Goal: water", "")


def test_an_id_gives_a_result_to_its_call(one: ReadOne) -> None:
    calls = [json.dumps({"id": id, "name": "water", "arguments": {}}) for id in ("x", "y")]
    value = '<tool_response>{"tool_call_id": "y", "content": "second"}</tool_response>'
    dialogue = one(("human", "Go"), ("gpt", "".join(map(tagged, calls))), ("tool", value))
    assert results(dialogue.turns[0]) == [("water", None), ("water", "second")]


def test_a_result_that_is_no_wrapper_stays_as_it_is(one: ReadOne) -> None:
    value = '<tool_response>{"name": "fern", "content": "wet", "pot": 3}</tool_response>'
    dialogue = one(("human", "Go"), ("gpt", tagged(call("water"))), ("tool", value))
    assert results(dialogue.turns[0]) == [("water", '{"name": "fern", "content": "wet", "pot": 3}')]


def test_a_call_with_unreadable_arguments_is_a_call_without_arguments(one: ReadOne) -> None:
    said = '<tool_call>{"name": "water", "arguments": {"litres": }</tool_call>'
    (found,) = one(("human", "Go"), ("gpt", said), ("tool", "bad")).turns[0].steps[0].calls
    assert found == Call("", "water", None, '{"name": "water", "arguments": {"litres": }', "bad")


def test_a_call_whose_tool_cannot_be_read_is_malformed_and_no_reply(one: ReadOne) -> None:
    step = one(("human", "Go"), ("gpt", "Well. <tool_call>{oops")).turns[0].steps[0]
    assert (step.reply, step.calls, step.malformed) == ("Well.", (), "{oops")


def test_code_in_a_call_is_not_run(one: ReadOne, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    said = tagged(f"{{'name': 'f', 'arguments': {{'a': open({str(trace)!r}, 'w')}}}}")
    (found,) = one(("human", "Go"), ("gpt", said)).turns[0].steps[0].calls
    assert found.arguments is None
    assert not trace.exists()


# --- the rest ---------------------------------------------------------------------------------


def test_what_the_assistant_says_first_is_the_opening(one: ReadOne) -> None:
    dialogue = one(("gpt", "Hello!"), ("human", "Hi"), ("gpt", "What now?"))
    assert [step.reply for step in dialogue.opening] == ["Hello!"]
    assert len(dialogue.turns) == 1


def test_a_system_prompt_that_stands_twice_counts_once(one: ReadOne) -> None:
    assert one(("system", "Be kind."), ("human", "Hi"), system="Be kind.").system == "Be kind."


def test_other_keys_are_kept(one: ReadOne) -> None:
    assert one(("human", "Hi"), source="nursery", id=4).extra == {"source": "nursery"}


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({}, "[0]", "`conversations` is missing"),
        ({"conversations": "hi"}, "[0].conversations", 'found `"hi"`'),
        ({"conversations": [{"from": "human"}]}, "[0].conversations[0]", "`value` is missing"),
        ({"conversations": [{"from": "human", "value": 3}]}, "[0].conversations[0].value", "f"),
        ({"conversations": [{"from": "elf", "value": ""}]}, "[0].conversations[0].from", "f"),
        (
            {"conversations": entries((("human", "Hi"), ("observation", "wet")))},
            "[0].conversations[1]",
            "no call waits for this result",
        ),
        ({"conversations": [], "system": 3}, "[0].system", "found `3`"),
    ],
)
def test_a_dialogue_of_another_shape_is_rejected_with_its_place(
    rejected: RejectOne, value: Any, path: str, reason: str
) -> None:
    reject = rejected(value)
    assert reject.path == path
    assert reject.reason.startswith(reason)
