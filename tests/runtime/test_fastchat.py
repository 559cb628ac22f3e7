"""The fast reader of chat lines says what the general one says, or leaves the line to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat_lines import chat_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cm2.fastchat import read_facts
from cm2dsl.chat import ChatError, from_chat
from cm2dsl.jsonl import JsonError, parse
from cm2dsl.scope import CallFact, Facts, facts_of

NUMBER = 7
"""The line's number, which is the id of a dialogue that has none."""


UNREAD = ("is too large", "occurs twice in one object")
"""The ends of what only the general reader says, of what the fast one need not read."""


def generally(line: bytes) -> tuple[str, str, Facts] | str:
    """What the general reader says, or why it refuses the line."""
    try:
        trajectory = from_chat(parse(line), file="chat.jsonl", line=NUMBER)
    except (JsonError, ChatError) as error:
        return error.message
    return trajectory.id, trajectory.task, facts_of(trajectory)


def shown(call: CallFact) -> tuple[Any, ...]:
    """Everything that a check or its evidence can ask of a call; `repr` tells 1 from 1.0."""
    place = (call.turn, call.step, call.at, call.index, call.by_user)
    names = (call.segment("call"), call.segment("result"))
    return (
        call.tool,
        repr(call.arguments),
        call.text,
        repr(call.result),
        call.failed,
        place,
        names,
    )


def facts(found: tuple[str | None, str, Facts]) -> dict[str, Any]:
    """What is compared of one reading."""
    identity, task, said = found
    return {
        "id": str(NUMBER) if identity is None else identity,
        "task": task,
        "calls": [shown(call) for call in said.calls],
        "acts": [shown(call) for call in said.acts],
        "replies": [
            (reply.text, reply.turn, reply.step, reply.at, reply.name) for reply in said.replies
        ],
        "closed": said.closed,
        "marks": said.marks,
        "lengths": said.lengths,
    }


def same(line: bytes) -> bool:
    """Whether the fast reader took the line; then both say the same."""
    fast, general = read_facts(line), generally(line)
    if fast is None:
        return False
    if isinstance(general, str):
        assert general.endswith(UNREAD), f"only the general reader refuses it: {general}"
        return True
    assert facts(fast) == facts(general)
    return True


@settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chat_lines())
def test_both_readers_say_the_same_of_every_line_that_the_fast_one_takes(line: bytes) -> None:
    same(line)


# --- the ordinary -----------------------------------------------------------------------------

CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"a": [1]}'}},
    {"id": "c2", "type": "function", "function": {"name": "book", "arguments": "{}"}},
]
ORDINARY: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": CALLS},
    {"role": "tool", "tool_call_id": "c2", "content": "Error: full", "error": True},
    {"role": "tool", "tool_call_id": "c1", "content": '{"n": 1}'},
    {"role": "assistant", "content": "It is full: sorry"},
    {"role": "user", "content": "on"},
    {"role": "assistant", "content": "bye", "tool_calls": None},
]


def chat(messages: Any, **others: Any) -> bytes:
    return json.dumps({**others, "messages": messages}).encode()


@pytest.mark.parametrize("end", range(len(ORDINARY) + 1))
def test_an_ordinary_dialogue_is_read_fast_however_far_it_went(end: int) -> None:
    assert same(chat(ORDINARY[:end], id="d", task="t/1"))


def test_keys_that_mean_nothing_are_no_reason_to_be_slow() -> None:
    messages = [{**message, "name": "n", "annotations": []} for message in ORDINARY]
    assert same(chat(messages, official={"reward": 1}, tools=[]))


def test_an_id_that_is_missing_is_left_to_the_caller() -> None:
    found = read_facts(chat(ORDINARY))
    assert found is not None
    assert found[:2] == (None, "")


def test_results_go_to_their_calls_in_any_order() -> None:
    found = read_facts(chat(ORDINARY))
    assert found is not None
    assert [call.text for call in found[2].calls] == ['{"n": 1}', "Error: full"]
    assert [call.failed for call in found[2].calls] == [False, True]
    assert [call.segment("result") for call in found[2].calls] == [
        "t0.s0.tool_result",
        "t0.s0.tool_result.1",
    ]


# --- the odd, one thing each ------------------------------------------------------------------


def with_call(*results: dict[str, Any], ids: tuple[Any, ...] = ("c1", "c2")) -> bytes:
    calls = [{**call, "id": identity} for call, identity in zip(CALLS, ids, strict=True)]
    answers = [{"role": "tool", "content": str(n), **result} for n, result in enumerate(results)]
    assistant = {"role": "assistant", "content": "", "tool_calls": calls}
    return chat([{"role": "user", "content": "go"}, assistant, *answers])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(with_call({"tool_call_id": ""}, ids=("c1", "")), id="empty id, other first"),
        pytest.param(with_call({"tool_call_id": ""}, ids=("", "c2")), id="empty id"),
        pytest.param(
            with_call({"tool_call_id": "", "name": "book"}, ids=("", "")), id="empty id and a name"
        ),
        pytest.param(with_call({"tool_call_id": "c1", "name": 5}), id="a name that is no text"),
        pytest.param(with_call({"tool_call_id": "c1"}, {"tool_call_id": "c1"}), id="twice"),
        pytest.param(with_call({"tool_call_id": "c9"}), id="an id that no call has"),
        pytest.param(with_call({"tool_call_id": "c9"}, ids=("c1", "")), id="for one without id"),
        pytest.param(with_call({}), id="a result without an id"),
        pytest.param(
            with_call({"tool_call_id": "c1"}, {"tool_call_id": "c1"}, ids=("c1", "c1")),
            id="two calls of one id",
        ),
        pytest.param(with_call({"tool_call_id": "c1", "error": "no"}), id="an error as text"),
        pytest.param(with_call({"tool_call_id": "c1", "content": None}), id="a result of nothing"),
    ],
)
def test_results_that_are_hard_to_place_are_read_as_the_general_reader_does(line: bytes) -> None:
    same(line)


@pytest.mark.parametrize(
    "text", [b"NaN", b"Infinity", b"01", b'"\xff"', b'{"\xff": 1}', b'"\xed\xa0\x80"']
)
@pytest.mark.parametrize("inside", [True, False], ids=["in a message", "in the line"])
def test_what_is_no_strict_json_is_refused_also_where_nobody_reads_it(
    text: bytes, inside: bool
) -> None:
    user = b'{"role": "user", "content": "go"' + (b', "x": ' + text if inside else b"") + b"}"
    line = b'{"messages": [' + user + b"]" + (b"" if inside else b', "x": ' + text) + b"}"
    assert isinstance(generally(line), str)
    same(line)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "<think>x</think>y"},
        {"role": "assistant", "content": "x</think>y"},
        {"role": "assistant", "content": [{"type": "text", "text": "y"}]},
        {"role": "assistant", "content": None},
        {"role": "assistant"},
        {"role": "assistant", "content": "y", "reasoning_content": "x"},
        {"role": "assistant", "content": "y", "malformed": "search("},
        {"role": "assistant", "content": "y", "malformed": True},
        {"role": "assistant", "content": "<think>", "verbatim": True},
        {"role": "assistant", "content": "", "function_call": CALLS[0]["function"]},
        {"role": "assistant", "content": "", "tool_calls": [{"function": CALLS[0]["function"]}]},
        {"role": "assistant", "content": "", "tool_calls": [{**CALLS[0], "malformed": True}]},
        {"role": "user", "content": "", "tool_calls": CALLS},
        {"role": "developer", "content": "Be brief."},
        {"role": "critic", "content": "no"},
        {"content": "no"},
        "no",
    ],
    ids=json.dumps,
)
def test_a_message_out_of_the_ordinary_is_left_to_the_general_reader(message: Any) -> None:
    assert read_facts(chat([*ORDINARY, message])) is None


def test_an_opening_that_calls_is_left_to_the_general_reader() -> None:
    assert read_facts(chat([{"role": "assistant", "content": "", "tool_calls": CALLS}])) is None
    assert same(chat([{"role": "assistant", "content": "Hello"}, *ORDINARY]))


def test_of_a_key_that_occurs_twice_in_a_message_the_last_one_counts() -> None:
    line = b'{"messages": [{"role": "user", "content": "go"}, '
    line += b'{"role": "assistant", "content": "a", "content": "b"}]}'
    found = read_facts(line)
    assert found is not None
    assert [reply.text for reply in found[2].replies] == ["b"]
    assert isinstance(generally(line), str)


def test_a_number_too_large_passes_where_nobody_reads_it() -> None:
    line = b'{"x": 1e999, "messages": [{"role": "user", "content": "go"}]}'
    assert read_facts(line) is not None
    assert isinstance(generally(line), str)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a": 1, "a": 2}',
        r'{"a": "\u003a", "b": {"c": 1, "c": 2}}',
        r'{"a": "\u003a", "b": "::"}',
        '{"a": NaN}',
        '{"a": 100000000000000000000000000}',
        r'{"a": "\ud800"}',
        "[1]",
        "",
        '{"a": {"b": [{"c": ":"}]}}',
    ],
)
def test_arguments_are_read_strictly(arguments: str) -> None:
    call = {"id": "c1", "function": {"name": "search", "arguments": arguments}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    assert same(chat([{"role": "user", "content": "go"}, message]))


@given(st.binary(max_size=40))
def test_bytes_of_any_kind_are_no_dialogue_to_one_reader_alone(line: bytes) -> None:
    same(line)
