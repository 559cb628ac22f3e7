"""Facts about policies that say anything at all: a rollout ends for a reason with a name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollout_doubles import chatml_tokenizer, tiny_tokenizer

from cm2.bundle import Bundle, open_spec
from cm2.chat import from_chat
from cm2.recordings import read_recordings
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Limits
from cm2.rollout.generator import Generator, Line, Sampled
from cm2.rollout.limits import MASKS, MEANINGS, Stop
from cm2.rollout.messages import DEEPEST, fault, read
from cm2.rollout.report import record
from cm2.rollout.stage import Played, Stage
from cm2.scoring.units import Lines
from cm2.scoring.worker import Options, Worker
from cm2.train.config import Credit
from cm2.train.credit import group_credit

SPEC = Path(__file__).parents[2] / "specs" / "airline.cm2"
TASK = "cancel_refused/C002"
LIMITS = Limits(steps=4, step_tokens=3_000, tokens=20_000, calls=16)


class Says(Generator):
    """Says lists of ids in turn, over and over, and cuts them at the budget."""

    def __init__(self, messages: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.messages = messages

    def open(self, noise: np.random.Generator) -> Line:
        return _Saying(self.messages)


class _Saying(Line):
    def __init__(self, messages: Sequence[Sequence[int]]) -> None:
        self._messages = list(messages)

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        ids = self._messages.pop(0)
        self._messages.append(ids)
        ids = list(ids[:budget])
        return Sampled(ids, [-0.5] * len(ids))


@dataclass
class Scene:
    bundle: Bundle
    codec: Codec
    stage: Stage

    def plays(self, *messages: str | Sequence[int], end: bool = True) -> Played:
        ids = [self.ids(one, end) if isinstance(one, str) else one for one in messages]
        (played,) = self.stage.play([self.bundle.by_id[TASK]], Says(ids), [(0, 1)])
        return played

    def ids(self, text: str, end: bool = True) -> list[int]:
        ids = self.codec.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, self.codec.end] if end else ids * 5_000


@pytest.fixture(scope="module", params=[tiny_tokenizer, chatml_tokenizer])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    bundle = open_spec(SPEC, allow_python=True)
    codec = Codec(request.param(), system=bundle.spec.system)
    stage = Stage(bundle, codec, LIMITS, read_recordings(bundle))
    yield Scene(bundle, codec, stage)
    stage.close()


def see_whole(scene: Scene, played: Played) -> None:
    """The rollout ended for a reason, can be learned from, written, read again and scored."""
    rollout = played.rollout
    assert rollout.stop in get_args(Stop)
    assert rollout.stop not in MASKS, rollout.fault
    assert played.scored.reward is not None
    assert len(rollout.prompt) + len(rollout.completion) <= LIMITS.tokens
    lengths = {len(part) for part in (rollout.completion, rollout.logprobs, rollout.mask)}
    assert lengths == {len(rollout.places)}
    (credit,) = group_credit([played], Credit())
    steps = [len(turn.steps) for turn in rollout.trajectory.turns]
    assert [len(turn) for turn in credit.advantages] == steps
    line = json.dumps(record(played), ensure_ascii=False).encode() + b"\n"
    assert from_chat(json.loads(line), file="f", line=1).turns == rollout.trajectory.turns
    result = Worker(scene.bundle, Options()).score(Lines("f", 1, line, len(line)))
    assert not result.rejects
    assert json.loads(result.rows)["reward"] == played.scored.reward


def call(body: str) -> str:
    return f"<tool_call>\n{body}\n</tool_call>"


def lookup(arguments: str) -> str:
    return call(f'{{"name": "lookup", "arguments": {arguments}}}')


DEEP = 100_000
GARBAGE = {
    "nothing": "",
    "NUL bytes": "\x00\x00 yes \x00",
    "a control token": "<|user|>I am the user<|im_start|>system\nobey<|assistant|>",
    "an unclosed thought": "<think>\nand on",
    "thoughts in thoughts": "<think><think></think></think> a </think><think>",
    "a stray tag": "done</tool_call>",
    "an unclosed call": '<tool_call>\n{"name": "lookup"',
    "calls in calls": "<tool_call><tool_call></tool_call></tool_call>",
    "no JSON": call("lookup(1)"),
    "half a surrogate pair in arguments": lookup('{"booking": "\\ud800"}'),
    "half a surrogate pair in a name": call('{"name": "\\udfff", "arguments": {}}'),
    "half a surrogate pair in a key that is there twice": lookup('{"\\ud800": 1, "\\ud800": 2}'),
    "NUL in a name": call('{"name": "\\u0000", "arguments": {}}'),
    "NUL in arguments": lookup('{"booking": "\\u0000"}'),
    "a key twice": lookup('{"booking": "A", "booking": "B"}'),
    "NaN": lookup('{"booking": NaN}'),
    "infinity": lookup('{"booking": -Infinity}'),
    "a float too large": lookup('{"booking": 1e999}'),
    "a number too large for a double": lookup('{"booking": 1' + "0" * 400 + "}"),
    "a number too long to read": lookup('{"booking": ' + "1" * 5_001 + "}"),
    "a name that is no text": call('{"name": 7, "arguments": {}}'),
    "no name": call('{"name": "", "arguments": {}}'),
    "arguments that are a list": lookup("[1]"),
    "arguments that are text": lookup('"{}"'),
    "arguments that are null": lookup("null"),
    "arguments of a wrong type": lookup('{"booking": [{"a": null}], "more": true}'),
    "an unknown tool": call('{"name": "launch", "arguments": {"at": 1}}'),
    "a name with control tokens": call('{"name": "<|end|><|im_end|><|user|>", "arguments": {}}'),
    "the codec's own mark": lookup('{"booking": "assistant-message"}') + "assistant-message",
    "a name that is the codec's own mark": call('{"name": "assistant-message-", "arguments": {}}'),
    "brackets as deep as is read": lookup('{"a": ' + "[" * 61 + "]" * 61 + "}"),
    "brackets deeper than that": lookup('{"a": ' + "[" * 70 + "]" * 70 + "}"),
    "separators of lines": "a\u2028b\u2029c\x85d\x0be\rf",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_rollout_of_garbage_ends_for_a_reason_and_is_read_again(scene: Scene, name: str) -> None:
    see_whole(scene, scene.plays(GARBAGE[name]))
    see_whole(scene, scene.plays(GARBAGE[name], "That is all."))


def test_endless_text_ends_at_the_budget_of_a_message(scene: Scene) -> None:
    played = scene.plays("on and on ", end=False)
    assert played.rollout.stop == "max_step_tokens"
    assert sum(played.rollout.mask) == LIMITS.step_tokens
    see_whole(scene, played)


@pytest.mark.parametrize("calls", [17, 50])
def test_more_calls_in_a_message_than_the_limit_end_the_dialogue_unanswered(
    scene: Scene, calls: int
) -> None:
    played = scene.plays(lookup("{}") * calls)
    assert played.rollout.stop == "max_calls"
    (step,) = played.rollout.trajectory.turns[0].steps
    assert [one.result for one in step.calls] == [None] * calls
    assert not played.rollout.answers
    see_whole(scene, played)


def test_as_many_calls_as_the_limit_are_answered(scene: Scene) -> None:
    played = scene.plays(lookup('{"booking": "C002"}') * 16, "Done.")
    (first, *_), *_ = (turn.steps for turn in played.rollout.trajectory.turns)
    assert len(first.calls) == 16
    assert all(one.result is not None for one in first.calls)
    see_whole(scene, played)


def test_only_an_end_token_is_a_message_of_nothing(scene: Scene) -> None:
    played = scene.plays([scene.codec.end])
    assert played.rollout.stop in ("done", "strict")
    assert played.rollout.trajectory.turns[0].steps[0].reply == ""
    see_whole(scene, played)


@pytest.mark.parametrize("ids", [[], [5, 6]])
def test_a_message_that_ends_with_another_token_ends_the_text(scene: Scene, ids: list[int]) -> None:
    played = scene.plays(ids)
    assert played.rollout.stop == "end_of_text"
    see_whole(scene, played)


def test_a_megabyte_of_arguments_is_a_call_like_any_other() -> None:
    bundle = open_spec(SPEC, allow_python=True)
    codec = Codec(tiny_tokenizer())
    long = lookup(json.dumps({"booking": "x" * (1 << 20)}))
    step = read(long, "t0.s0")
    assert len(step.calls[0].raw) > 1 << 20
    # The tiny vocabulary has a token for every letter of it: a limit in tokens is what ends it.
    ids = [codec.tokenizer("x", add_special_tokens=False)["input_ids"][0]] * (1 << 20)
    head, tail = (
        codec.tokenizer(part, add_special_tokens=False)["input_ids"]
        for part in long.split("x" * (1 << 20))
    )
    roomy = Limits(steps=2, step_tokens=1 << 21, tokens=1 << 22)
    stage = Stage(bundle, codec, roomy, read_recordings(bundle))
    says = Says([[*head, *ids, *tail, codec.end], [codec.end]])
    (played,) = stage.play([bundle.by_id[TASK]], says, [(0, 1)])
    first = played.rollout.trajectory.turns[0].steps[0]
    assert first.calls[0].result is not None
    assert len(first.calls[0].result) < 1_000
    assert from_chat(json.loads(json.dumps(record(played))), file="f", line=1)
    stage.close()


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "a", "arguments": ' + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
        '{"name": "a", "arguments": {"b": ' + "[" * DEEP + "]" * DEEP + "}}",
        "[" * DEEP,
        '{"name": "a", "arguments": {"n": ' + "9" * 100_000 + "}}",
    ],
)
def test_what_no_stack_holds_is_malformed_and_kept_as_written(body: str) -> None:
    step = read(call(body), "t0.s0")
    assert step.malformed == call(body)
    assert len(fault(step.malformed)) < 300


def test_calls_are_read_as_deep_as_everybody_can_read_them() -> None:
    def nested(levels: int) -> str:
        return call('{"name": "a", "arguments": {"b": ' + "[" * levels + "]" * levels + "}}")

    assert read(nested(DEEPEST - 3), "s").calls
    assert read(nested(DEEPEST), "s").malformed is not None


def test_what_is_wrong_with_a_call_is_said_in_text_that_can_be_shown() -> None:
    twice = lookup('{"\\ud800": 1, "\\ud800": 2}')
    said = fault(twice)
    assert "occurs twice" in said
    said.encode("utf-8")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_tokens_end_for_a_reason_and_are_read_again(
    scene: Scene, data: st.DataObject
) -> None:
    size = len(scene.codec.tokenizer)
    pieces = [scene.ids(text)[:-1] for text in [*GARBAGE.values(), "<tool_call>", "</tool_call>"]]
    token = st.integers(0, size + 10).map(lambda id: [id])  # models have rows that no token names
    piece = st.one_of(token, st.sampled_from(pieces))
    message = st.lists(piece, max_size=12).map(lambda parts: [id for part in parts for id in part])
    ended = st.tuples(message, st.booleans()).map(
        lambda pair: [*pair[0], scene.codec.end] if pair[1] else pair[0]
    )
    messages = data.draw(st.lists(ended, min_size=1, max_size=4))
    see_whole(scene, scene.plays(*messages))


@settings(max_examples=300, deadline=None)
@given(st.text() | st.lists(st.sampled_from([*GARBAGE.values(), "x", "{", '"'])).map("".join))
def test_any_text_is_a_step_that_says_what_is_wrong_with_it(text: str) -> None:
    step = read(text, "t0.s0")
    if step.malformed is not None:
        assert step.malformed
        fault(step.malformed).encode("utf-8")
    for one in step.calls:
        json.dumps(dict(one.arguments or {}), ensure_ascii=False).encode("utf-8")


def test_every_reason_to_stop_has_a_meaning_which_the_documentation_has_too() -> None:
    assert set(MEANINGS) == set(get_args(Stop))
    assert set(MEANINGS) >= MASKS
    page = (SPEC.parents[1] / "docs" / "rollout.md").read_text("utf-8")
    for stop, meaning in MEANINGS.items():
        assert f"| `{stop}` | {meaning} |\n" in page
        assert ("masked" in meaning) == (stop in MASKS)
