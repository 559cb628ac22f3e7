"""OpenAI chat JSONL in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2.chat import ChatError, arguments, from_chat, read, to_chat
from cm2.jsonl import parse
from cm2.trajectory import Call, Step, Trajectory, Turn, segments

USER = {"role": "user", "content": "hi"}


def said(*messages: dict[str, Any], **keys: Any) -> Trajectory:
    return from_chat({"messages": list(messages), **keys}, file="f.jsonl", line=3)


def step(**keys: Any) -> Step:
    """The step that one assistant message is."""
    return said(USER, {"role": "assistant", **keys}).turns[0].steps[0]


def tool_call(name: str, given: Any, **keys: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": given}, **keys}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(content: str, **keys: Any) -> dict[str, Any]:
    return {"role": "tool", "content": content, **keys}


# --- turns and steps --------------------------------------------------------------------------


def test_a_user_message_opens_a_turn_and_an_assistant_message_a_step() -> None:
    dialogue = said(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "book it"},
        calling(tool_call("find", '{"to": "SHA"}', id="c1")),
        result('{"n": 1}', tool_call_id="c1"),
        {"role": "assistant", "content": "Found one."},
        {"role": "user", "content": "好"},
        id="d7",
        task="book/r1",
        tools=[],
        score=0.5,
    )
    call = Call("c1", "find", {"to": "SHA"}, '{"to": "SHA"}', '{"n": 1}')
    assert dialogue == Trajectory(
        id="d7",
        task="book/r1",
        turns=(Turn("book it", (Step(calls=(call,)), Step(reply="Found one."))), Turn("好")),
        system="Be brief.",
        extra={"tools": [], "score": 0.5},
    )


def test_what_the_assistant_says_before_any_user_is_the_opening() -> None:
    dialogue = said({"role": "assistant", "content": "Hello!"}, USER)
    assert dialogue.opening == (Step(reply="Hello!"),)
    assert dialogue.turns == (Turn("hi"),)


def test_the_id_defaults_to_the_line_number_and_the_task_to_nothing() -> None:
    dialogue = said(USER)
    assert (dialogue.id, dialogue.task, dialogue.system) == ("3", "", "")


def test_system_and_developer_messages_are_the_system_prompt() -> None:
    dialogue = said(
        {"role": "system", "content": "One."}, {"role": "developer", "content": "Two."}, USER
    )
    assert dialogue.system == "One.\n\nTwo."


def test_content_is_a_string_null_or_text_parts() -> None:
    parts = [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]
    assert step(content="a").reply == "a"
    assert step(content=None).reply == ""
    assert step(content=parts).reply == "a b"
    assert said({"role": "user", "content": parts}).turns[0].user == "a b"


# --- reasoning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"content": "Yes.", "reasoning_content": "Why?"},
        {"content": "Yes.", "reasoning": "Why?"},
        {"content": "Yes.", "reasoning": "Why?", "reasoning_content": "Why?"},
        {"content": "<think>\nWhy?\n</think>\n\nYes."},
        {"content": "Why?\n</think>\n\nYes."},
        {"content": "Yes.\n<think>Why?"},
        {"content": [{"type": "text", "text": "<think>Why?</think>Yes."}]},
        {"content": "<think>Why?</think>Yes.", "reasoning_content": "Why?"},
    ],
)
def test_reasoning_is_never_part_of_the_reply(message: dict[str, Any]) -> None:
    assert step(**message) == Step(reply="Yes.", reasoning="Why?")


def test_several_thoughts_are_joined() -> None:
    found = step(content="<think>one</think> a <think>two</think>b", reasoning_content="zero")
    assert found == Step(reply="a b", reasoning="zero\none\ntwo")


def test_an_empty_thought_is_no_reasoning() -> None:
    assert step(content="<think>\n\n</think>\n\nYes.") == Step(reply="Yes.")


def test_content_without_a_thought_is_kept_to_the_letter() -> None:
    assert step(content=" Yes. \n").reply == " Yes. \n"


# --- calls and results ------------------------------------------------------------------------


@pytest.mark.parametrize("given", ['{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}])
def test_arguments_are_a_json_string_or_an_object(given: Any) -> None:
    (call,) = step(tool_calls=[tool_call("t", given)]).calls
    assert call == Call("", "t", {"a": [1, {"b": None}]}, '{"a": [1, {"b": null}]}')


@pytest.mark.parametrize(
    "given",
    ["", "{", "[1]", "3", "null", '"{}"', '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}'],
)
def test_arguments_that_are_no_json_object_are_kept_as_written(given: str) -> None:
    (call,) = step(tool_calls=[tool_call("t", given)]).calls
    assert (call.arguments, call.raw) == (None, given)
    assert arguments(given) is None


def test_results_of_parallel_calls_are_matched_by_id_in_any_order() -> None:
    calls = calling(tool_call("f", "{}", id="x"), tool_call("g", "{}", id="y"))
    dialogue = said(USER, calls, result("of y", tool_call_id="y"), result("of x", tool_call_id="x"))
    assert [call.result for call in dialogue.turns[0].steps[0].calls] == ["of x", "of y"]


def test_results_without_an_id_are_matched_in_order() -> None:
    calls = calling(tool_call("f", "{}", id="x"), tool_call("f", "{}", id="y"))
    dialogue = said(USER, calls, result("1"), result("2", tool_call_id=None))
    assert [call.result for call in dialogue.turns[0].steps[0].calls] == ["1", "2"]


def test_a_result_without_an_id_that_names_its_tool_goes_to_that_tool() -> None:
    calls = calling(tool_call("f", "{}"), tool_call("g", "{}"))
    dialogue = said(USER, calls, result("of g", name="g"), result("of f", name="f"))
    assert [call.result for call in dialogue.turns[0].steps[0].calls] == ["of f", "of g"]


def test_a_result_with_an_id_goes_to_a_call_without_one() -> None:
    dialogue = said(USER, calling(tool_call("f", "{}")), result("r", tool_call_id="z"))
    assert dialogue.turns[0].steps[0].calls[0].result == "r"


def test_a_call_without_a_result_has_none() -> None:
    dialogue = said(USER, calling(tool_call("f", "{}", id="x")))
    assert dialogue.turns[0].steps[0].calls[0].result is None


def test_legacy_function_calls_are_read() -> None:
    dialogue = said(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "r"},
    )
    assert dialogue.turns[0].steps[0].calls == (Call("", "f", {}, "{}", "r"),)


def test_a_malformed_call_is_no_reply() -> None:
    text = '<tool_call>{"name": '
    assert step(content=text, malformed=True) == Step(malformed=text)
    assert step(content="Hm.", malformed=text) == Step(reply="Hm.", malformed=text)
    assert step(content="Hm.", malformed=False) == Step(reply="Hm.")


def test_a_call_marked_malformed_has_no_arguments() -> None:
    (call,) = step(tool_calls=[tool_call("t", '{"a": 1}', malformed=True)]).calls
    assert (call.arguments, call.raw) == (None, '{"a": 1}')


# --- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "index", "message", "help"),
    [
        ([], None, "found `[]`", "expected an object with `messages`"),
        ({}, None, "`messages` is missing", "it is the list of OpenAI chat messages"),
        ({"messages": {}}, None, "`messages` is `{}`", "expected a list"),
        ({"messages": [], "id": 7}, None, "`id` is `7`", "expected a string"),
        ({"messages": [USER, "hi"]}, 1, 'messages[1]: found `"hi"`', "expected an object"),
        (
            {"messages": [{"role": "robot", "content": ""}]},
            0,
            'messages[0]: `role` is `"robot"`',
            "expected system, developer, user, assistant, tool or function",
        ),
        (
            {"messages": [{"content": "hi"}]},
            0,
            "messages[0]: `role` is missing or null",
            "expected system,",
        ),
        (
            {"messages": [{"role": "user"}]},
            0,
            "messages[0]: `content` is missing",
            "expected a string or a list of text parts",
        ),
        (
            {"messages": [USER, {"role": "assistant"}]},
            1,
            "messages[1]: `content` is missing",
            "expected a string or a list of text parts",
        ),
        (
            {"messages": [{"role": "user", "content": 3}]},
            0,
            "messages[0]: `content` is `3`",
            "expected a string or a list of text parts",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            0,
            'messages[0]: `content[0]` is `{"type": "image_url"}`',
            'expected a part {"type": "text", "text": …}',
        ),
        (
            {"messages": [USER, calling("f")]},  # type: ignore[arg-type]
            1,
            'messages[1]: tool_calls[0]: found `"f"`',
            "expected an object with `function`",
        ),
        (
            {"messages": [USER, calling({"id": "x", "name": "f"})]},
            1,
            "messages[1]: tool_calls[0]: `function` is missing or null",
            "expected an object with `name` and `arguments`",
        ),
        (
            {"messages": [USER, calling(tool_call("f", "{}"), tool_call("g", [1]))]},
            1,
            "messages[1]: tool_calls[1]: `function.arguments` is `[1]`",
            "expected an object, or a string that holds one",
        ),
        (
            {"messages": [USER, calling(tool_call("f", "{}", id=1))]},
            1,
            "messages[1]: tool_calls[0]: `id` is `1`",
            "expected a string",
        ),
        (
            {"messages": [USER, {"role": "assistant", "content": "", "function_call": "f"}]},
            1,
            'messages[1]: `function_call` is `"f"`',
            "expected an object with `name` and `arguments`",
        ),
        (
            {"messages": [USER, result("r", tool_call_id="x")]},
            1,
            "messages[1]: no call waits for this result for `x`",
            "results follow the assistant message that calls, one for each call",
        ),
        (
            {
                "messages": [
                    USER,
                    calling(tool_call("f", "{}", id="x"), tool_call("g", "{}", id="y")),
                    result("r", tool_call_id="x"),
                    result("r", tool_call_id="x"),
                ]
            },
            3,
            "messages[3]: no call waits for this result for `x`",
            "the calls that wait are `y`",
        ),
        (
            {"messages": [USER, calling(tool_call("f", "{}")), result("r", name="g")]},
            2,
            "messages[2]: no call waits for this result for `g`",
            "the calls that wait are `f`",
        ),
    ],
)
def test_a_fault_names_file_line_message_and_what_to_do(
    value: Any, index: int | None, message: str, help: str
) -> None:
    with pytest.raises(ChatError) as caught:
        from_chat(value, file="d.jsonl", line=4)
    error = caught.value
    assert (error.file, error.line, error.index) == ("d.jsonl", 4, index)
    assert error.message == message
    assert error.help.startswith(help)
    assert str(error) == f"d.jsonl:4: error: {error.message}\n  = help: {error.help}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"messages": [}', "not JSON at column 15: expecting value"),
        (b'{"messages": []', "not JSON at column 16: expecting ',' delimiter"),
        (b'{"messages": ["\xe4"]}', "not UTF-8: byte 16 is 0xe4"),
        (b'{"messages": [], "x": NaN}', "`NaN` is not JSON"),
        (b'{"messages": [], "messages": []}', "the key `messages` occurs twice in one object"),
        (b"[" * 100_000, "nested too deeply to read"),
    ],
)
def test_a_broken_line_is_named_after_the_good_ones_were_read(
    tmp_path: Path, line: bytes, message: str
) -> None:
    file = tmp_path / "d.jsonl"
    good = json.dumps({"messages": [USER]}).encode()
    file.write_bytes(b"\xef\xbb\xbf" + good + b"\r\n\n" + line + b"\n" + good)
    dialogues = read(file)
    assert next(dialogues).id == "1"
    with pytest.raises(ChatError) as caught:
        next(dialogues)
    error = caught.value
    assert (error.file, error.line, error.index) == (str(file), 3, None)
    assert error.message == message


# --- there and back ---------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=12),
    st.lists(
        st.sampled_from(["<think>", "</think>", "a", "\n", " ", "<tool_call>", "机票"]), max_size=6
    ).map("".join),
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=2)
RAWS = TEXTS | OBJECTS.map(json.dumps)


@st.composite
def _calls(draw: st.DrawFn) -> tuple[Call, ...]:
    ids = draw(st.lists(TEXTS.filter(bool), unique=True, max_size=3))
    calls = []
    for name in ids:
        given = draw(st.none() | OBJECTS)
        raw = draw(RAWS if given is None else RAWS | st.just(json.dumps(given)))
        calls.append(Call(name, draw(TEXTS), given, raw, draw(st.none() | TEXTS)))
    return tuple(calls)


STEPS = st.builds(Step, TEXTS, TEXTS, _calls(), st.none() | TEXTS)
TURNS = st.lists(st.builds(Turn, TEXTS, st.lists(STEPS, max_size=2).map(tuple)), max_size=2)
TRAJECTORIES = st.builds(
    Trajectory,
    id=TEXTS,
    task=TEXTS,
    turns=TURNS.map(tuple),
    system=TEXTS,
    opening=st.lists(STEPS, max_size=1).map(tuple),
    extra=OBJECTS.map(lambda x: {k: x[k] for k in x if k not in ("id", "task", "messages")}),
)


@settings(max_examples=200, deadline=None)
@given(TRAJECTORIES)
def test_what_is_written_reads_back_equal(dialogue: Trajectory) -> None:
    line = json.dumps(to_chat(dialogue))
    assert from_chat(parse(line), file="f", line=1) == dialogue


def test_what_was_read_is_written_in_openais_own_terms() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        USER,
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "Why?",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "r"},
        {"role": "assistant", "content": "Done."},
    ]
    value = {"id": "d", "task": "t", "messages": messages, "score": 1}
    assert to_chat(from_chat(value, file="f", line=1)) == value


def test_calls_whose_results_would_be_mixed_up_cannot_be_written() -> None:
    calls = (Call("x", "f", {}, "{}"), Call("x", "f", {}, "{}", "r"))
    dialogue = Trajectory("d", "", (Turn("hi", (Step(calls=calls),)),))
    with pytest.raises(ValueError, match="two calls of one step have the id `x`"):
        to_chat(dialogue)


def test_calls_without_ids_keep_their_results_in_order() -> None:
    calls = (Call("", "f", {}, "{}", "1"), Call("", "f", {}, "{}", "2"))
    dialogue = Trajectory("d", "", (Turn("hi", (Step(calls=calls),)),))
    assert from_chat(to_chat(dialogue), file="f", line=1) == dialogue


# --- segments ---------------------------------------------------------------------------------


def test_segments_have_stable_names_and_an_order() -> None:
    calls = (
        Call("x", "find", {"to": "上海", "n": 1}, ""),
        Call("y", "book", None, "{oops", "no such flight"),
    )
    dialogue = Trajectory(
        id="d",
        task="",
        turns=(
            Turn("hi", (Step("Let me look.", "Hm.", calls, "<tool_call>"), Step("Done."))),
            Turn("bye"),
        ),
        opening=(Step("Hello!"),),
    )
    assert [(s.name, s.turn, s.step, s.channel, s.text) for s in segments(dialogue)] == [
        ("t0.user", 0, None, "user", "hi"),
        ("t0.s0.reasoning", 0, 0, "reasoning", "Hm."),
        ("t0.s0.reply", 0, 0, "reply", "Let me look."),
        ("t0.s0.tool_call", 0, 0, "tool_call", 'find({"to": "上海", "n": 1})'),
        ("t0.s0.tool_call.1", 0, 0, "tool_call", "book({oops)"),
        ("t0.s0.tool_call.2", 0, 0, "tool_call", "<tool_call>"),
        ("t0.s0.tool_result.1", 0, 0, "tool_result", "no such flight"),
        ("t0.s1.reply", 0, 1, "reply", "Done."),
        ("t1.user", 1, None, "user", "bye"),
    ]


@given(TRAJECTORIES)
def test_no_two_segments_share_a_name(dialogue: Trajectory) -> None:
    names = [segment.name for segment in segments(dialogue)]
    assert len(names) == len(set(names))
