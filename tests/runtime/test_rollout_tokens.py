"""What was sampled is what is trained on: in every chat template, whatever is said in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from chat_templates import TOKENIZERS
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_doubles import tool_call

from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Episode, Limits, Rollout, play
from cm2.rollout.generator import Line, Sampled
from cm2.rollout.local import LocalGenerator
from cm2.rollout.users import Script
from cm2.simulate.backend import Answer
from cm2.train.config import Tiny
from cm2.train.tiny import build_model

TOOLS = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]


@cache
def codec_of(name: str) -> Codec:
    return Codec(TOKENIZERS[name](), system="Be brief.", tools=TOOLS)


CONTROL = [
    "<|end|>", "<|user|>", "<|im_end|>", "<|im_start|>assistant\n", "<|eot_id|>", "</s>", "[/INST]",
    "<|begin_of_text|>", "</tool_response>", "<think>", "</think>", "<tool_call>", "</tool_call>",
    "assistant-message", "{{ 7 * 7 }}", "{% raw %}",
]  # fmt: skip
TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["请取消订单", "e\u0301 ≠ é", "👩‍👩‍👧‍👦 ok", "\u202eabc", " \n ", "\x00\x1b[2J", "AB12"]
    ),
    st.lists(st.one_of(st.sampled_from(CONTROL), st.text(max_size=5)), max_size=4).map("".join),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
CALLS = st.dictionaries(st.text(max_size=6), VALUES, max_size=3).map(
    lambda arguments: (
        f"<tool_call>\n{json.dumps({'name': 'lookup', 'arguments': arguments})}\n</tool_call>"
    )
)
MALFORMED = st.sampled_from(
    [
        "<tool_call>{</tool_call>",
        '<tool_call>{"name": 3}</tool_call>',
        "<tool_call>",
        "</tool_call>",
        '<tool_call>\n{"name": "lookup", "arguments": "no object"}\n</tool_call>',
        "[" * 3000,
    ]
)
MESSAGES = st.one_of(
    TEXT, CALLS, MALFORMED, st.lists(st.one_of(TEXT, CALLS, MALFORMED), max_size=3).map("\n".join)
)


@dataclass(frozen=True)
class Spoken:
    """A message: its text, or ids of no text at all; spelt letter by letter; ended or not."""

    text: str
    ids: list[int] | None
    apart: bool
    ends: bool


SPOKEN = st.builds(
    Spoken,
    text=MESSAGES,
    ids=st.one_of(st.none(), st.none(), st.lists(st.integers(6, 340), min_size=1, max_size=20)),
    apart=st.booleans(),
    ends=st.sampled_from([True, True, True, False]),
)


class Recorder(Line):
    """Says what it is told to, and has all that it was given and said, in order."""

    def __init__(self, codec: Codec, spoken: Sequence[Spoken]) -> None:
        self.codec, self.left = codec, list(spoken)
        self.pieces: list[tuple[list[int], list[int], list[float]]] = []

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        one = self.left.pop(0) if self.left else Spoken("", None, False, True)
        tokenizer = self.codec.tokenizer
        ids = one.ids
        if ids is None and one.apart:
            ids = [i for letter in one.text for i in tokenizer(letter)["input_ids"]]
        elif ids is None:
            ids = tokenizer(one.text, add_special_tokens=False)["input_ids"]
        ids = [i for i in ids if i != self.codec.end]
        ids = ([*ids, self.codec.end] if one.ends or not ids else ids)[:budget]
        logprobs = [-0.001 * (len(self.pieces) * 997 + i) - 0.5 for i in range(len(ids))]
        self.pieces.append((list(given), ids, logprobs))
        return Sampled(ids, logprobs)


def played(
    codec: Codec, line: Line, users: Sequence[str], results: Sequence[str], limits: Limits
) -> Rollout:
    left = list(results)

    async def answer(calls: Sequence[Any]) -> list[Answer]:
        return [Answer(left.pop(0) if left else "{}", "replay") for _ in calls]

    async def goes_on(trajectory: Any) -> bool:
        return True

    episode = Episode("e", "serve", "Be brief.", Script(users), answer, goes_on)
    return asyncio.run(play(episode, codec, line, limits))


def assert_exact(rollout: Rollout, pieces: Sequence[tuple[list[int], list[int], list[float]]]):
    """Prompt and completion are what was given and sampled, one after the other; mask, places and
    log-probabilities are on the sampled tokens alone."""
    ids, mask, logprobs = [], [], []
    for told, said, logs in pieces:
        ids += [*told, *said]
        mask += [0] * len(told) + [1] * len(said)
        logprobs += [0.0] * len(told) + logs
    opening = len(rollout.prompt)
    assert pieces[0][0] == rollout.prompt
    whole = [*rollout.prompt, *rollout.completion]
    assert whole[: len(ids)] == ids
    assert rollout.mask[: len(ids) - opening] == mask[opening:]
    assert rollout.logprobs[: len(ids) - opening] == logprobs[opening:]
    assert not any(rollout.mask[len(ids) - opening :])  # given, and nobody asked to go on
    assert [place is not None for place in rollout.places] == [bool(bit) for bit in rollout.mask]
    assert len({*map(len, (rollout.completion, rollout.mask, rollout.logprobs))}) == 1
    spoken = [
        place
        for i, place in enumerate(rollout.places)
        if place and (i == 0 or rollout.places[i - 1] != place)
    ]
    steps = [
        (t, s) for t, turn in enumerate(rollout.trajectory.turns) for s in range(len(turn.steps))
    ]
    assert spoken == steps


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(
    spoken=st.lists(SPOKEN, min_size=1, max_size=8),
    users=st.lists(TEXT, min_size=1, max_size=3),
    results=st.lists(TEXT, max_size=5),
    step_tokens=st.sampled_from([7, 60, 4000]),
    tokens=st.sampled_from([900, 20_000]),
)
def test_the_trainer_gets_the_tokens_that_were_given_and_sampled_and_no_others(
    name: str,
    spoken: list[Spoken],
    users: list[str],
    results: list[str],
    step_tokens: int,
    tokens: int,
) -> None:
    codec = codec_of(name)
    limits = Limits(steps=3, step_tokens=step_tokens, tokens=tokens)
    line = Recorder(codec, spoken)
    rollout = played(codec, line, users, results, limits)
    assert rollout.fault is None
    assert_exact(rollout, line.pieces)
    given = [i for ids, _, _ in line.pieces for i in ids]
    # What users and tools say opens no turn of its own and ends none.
    turns = len(rollout.trajectory.turns)
    assert given.count(codec.end) <= 2 + 2 * turns + sum(
        2 * len(step.calls) + 2 for turn in rollout.trajectory.turns for step in turn.steps
    )


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(MESSAGES, min_size=1, max_size=5), users=st.lists(TEXT, min_size=1, max_size=3)
)
def test_what_is_given_does_not_depend_on_how_a_message_was_spelt(
    name: str, texts: list[str], users: list[str]
) -> None:
    codec = codec_of(name)
    rollouts, lines = [], []
    for apart in (False, True):
        line = Recorder(codec, [Spoken(text, None, apart, True) for text in texts])
        rollouts.append(played(codec, line, users, [], Limits(step_tokens=9000, tokens=90_000)))
        lines.append(line)
    words = [turn.user for turn in rollouts[0].trajectory.turns]
    assert words == [turn.user for turn in rollouts[1].trajectory.turns]
    same = [
        codec.text(one[1]) == codec.text(two[1])
        for one, two in zip(lines[0].pieces, lines[1].pieces, strict=False)
    ]
    if all(same):
        assert [one[0] for one in lines[0].pieces] == [two[0] for two in lines[1].pieces]


class Started(Line):
    """Says a call first, sampled by nobody, so that tools answer; then what the policy says."""

    def __init__(self, codec: Codec, inner: Line) -> None:
        self.codec, self.inner, self.first = codec, inner, True
        self.held: list[int] = []

    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        if self.first:
            self.first = False
            text = tool_call("lookup", booking="AB12")
            said = [*self.codec.tokenizer(text)["input_ids"], self.codec.end]
            self.held = [*given, *said]
            return Sampled(said, [0.0] * len(said))
        given, self.held = [*self.held, *given], []
        return await self.inner.say(given, budget)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_one_forward_over_what_is_trained_on_gives_the_log_probabilities_that_were_sampled(
    name: str,
) -> None:
    codec = codec_of(name)
    model = build_model(codec.tokenizer, Tiny(hidden=32), positions=4096, seed=3).eval()
    with torch.no_grad():
        model.lm_head.weight[codec.end] *= 4  # so that messages end
    generator = LocalGenerator(model, ends=[codec.end], pad=codec.pad)

    async def answer(calls: Sequence[Any]) -> list[Answer]:
        return [Answer('{"fare": "flex"}', "replay") for _ in calls]

    async def goes_on(trajectory: Any) -> bool:
        return True

    users = Script(["Cancel AB12", "请取消订单", "Thanks"])
    episode = Episode("e", "serve", "Be brief.", users, answer, goes_on)
    limits = Limits(steps=4, step_tokens=40, tokens=4000)

    async def all_() -> list[Rollout]:
        async def one(i: int) -> Rollout:
            with generator.open(np.random.default_rng((4, i))) as inner:
                return await play(episode, codec, Started(codec, inner), limits)

        async with generator:
            return await asyncio.gather(*(one(i) for i in range(6)))

    compared = 0
    for rollout in asyncio.run(all_()):
        ids = torch.tensor([[*rollout.prompt, *rollout.completion]])
        with torch.no_grad():
            logs = model(input_ids=ids, use_cache=False).logits.log_softmax(-1)[0]
        for i, (token, bit, logprob) in enumerate(
            zip(rollout.completion, rollout.mask, rollout.logprobs, strict=True)
        ):
            if bit and logprob:
                own = logs[len(rollout.prompt) - 1 + i, token].item()
                assert logprob == pytest.approx(own, abs=1e-5)
                compared += 1
    assert compared > 60
