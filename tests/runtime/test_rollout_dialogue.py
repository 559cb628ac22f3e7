"""Facts about one rollout: how it goes on, why it stops, and which tokens are the policy's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rollout_doubles import tiny_tokenizer, tool_call

from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Episode, EpisodeError, Limits, Rollout, play, well_formed
from cm2.rollout.generator import Line, PolicyFailure, Sampled
from cm2.rollout.users import Script
from cm2.simulate.backend import Answer, ToolFailure

LOOK_UP = tool_call("lookup", booking="AB12")
ROOMY = Limits(steps=3, step_tokens=80, tokens=2000)
CODEC = Codec(tiny_tokenizer(), system="Be brief.")


class Speaker(Line):
    """Says what is listed, and has what it was given; `broken` is said to break."""

    def __init__(self, says: Sequence[str], ended: bool = True) -> None:
        self.left = list(says)
        self.ended = ended
        self.given: list[list[int]] = []

    async def say(self, given, budget):
        self.given.append(list(given))
        text = self.left.pop(0)
        if text == "broken":
            raise PolicyFailure("the server is gone")
        ids = CODEC.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = [*ids, *([CODEC.end] if self.ended else ids * 100)][:budget]
        return Sampled(ids, [-0.25] * len(ids))


def rollout(
    says: Sequence[str],
    users: Sequence[str] = ("Cancel AB12",),
    *,
    limits: Limits = ROOMY,
    goes_on: bool = True,
    ended: bool = True,
) -> Rollout:
    async def answer(calls):
        if any(call.tool == "broken" for call in calls):
            raise ToolFailure("the booking system is down")
        return [Answer('{"fare": "flex"}', "replay") for _ in calls]

    async def gate(trajectory):
        return goes_on

    episode = Episode("e", "serve", "Be brief.", Script(users), answer, gate)
    return asyncio.run(play(episode, CODEC, Speaker(says, ended), limits))


def test_a_dialogue_ends_when_every_turn_has_its_reply():
    played = rollout([LOOK_UP, "It is flex.", "Bye."], ["Cancel AB12", "Thanks"])
    assert played.stop == "done"
    assert well_formed(played)
    first, second = played.trajectory.turns
    assert first.steps[0].calls[0].result == '{"fare": "flex"}'
    assert [step.reply for step in (first.steps[1], second.steps[0])] == ["It is flex.", "Bye."]


def test_every_token_is_the_templates_or_the_policys_and_knows_its_step():
    played = rollout([LOOK_UP, "It is flex.", "Bye."], ["Cancel AB12", "Thanks"])
    lengths = {len(played.completion), len(played.logprobs), len(played.mask), len(played.places)}
    assert len(lengths) == 1
    for place, mask, logprob in zip(played.places, played.mask, played.logprobs, strict=True):
        assert (place is not None) == bool(mask) == (logprob == -0.25)
    tokens = list(zip(played.completion, played.places, strict=True))
    said = {
        place: CODEC.text([token for token, at in tokens if at == place])
        for place in [(0, 0), (0, 1), (1, 0)]
    }
    assert said == {(0, 0): LOOK_UP, (0, 1): "It is flex.", (1, 0): "Bye."}
    whole = CODEC.tokenizer.decode([*played.prompt, *played.completion])
    assert whole == (
        f"<|user|>Cancel AB12<|assistant|>{LOOK_UP}<|end|>"
        '<|tool|>{"fare": "flex"}<|assistant|>It is flex.<|end|>'
        "<|user|>Thanks<|assistant|>Bye.<|end|>"
    )


def test_a_script_is_played_to_its_end_unless_a_limit_is_given():
    users = ["Go on"] * 40
    played = rollout(["Well."] * 40, users, limits=replace(ROOMY, tokens=4000))
    assert (played.stop, len(played.trajectory.turns)) == ("done", 40)
    played = rollout(["Well."] * 40, users, limits=replace(ROOMY, tokens=4000, turns=33))
    assert (played.stop, len(played.trajectory.turns)) == ("max_turns", 33)


def test_sampled_ids_are_kept_where_the_tokenizer_would_write_them_otherwise():
    odd = [CODEC.tokenizer.convert_tokens_to_ids(char) for char in "done"]
    assert CODEC.tokenizer("done", add_special_tokens=False)["input_ids"] != odd

    async def answer(calls):
        return [Answer("{}", "replay") for _ in calls]

    class Odd(Line):
        async def say(self, given, budget):
            return Sampled([*odd, CODEC.end], [0.0] * 5)

    async def goes_on(trajectory):
        return True

    episode = Episode("e", "serve", "", Script(["Hi", "Again"]), answer, goes_on)
    played = asyncio.run(play(episode, CODEC, Odd(), Limits()))
    assert played.completion[:5] == played.completion[-5:] == [*odd, CODEC.end]


def test_a_strict_item_that_does_not_hold_ends_the_dialogue():
    played = rollout(["No."], ["Cancel AB12", "Thanks"], goes_on=False)
    assert played.stop == "strict"
    assert len(played.trajectory.turns) == 1
    assert well_formed(played)


def test_a_malformed_call_gets_an_error_and_the_dialogue_goes_on():
    played = rollout(['<tool_call>\n{"name": lookup}\n</tool_call>', "Sorry."])
    assert played.stop == "done"
    first = played.trajectory.turns[0].steps[0]
    assert first.malformed is not None
    assert first.reply == ""
    assert '{"error":"the call cannot be read: not JSON at column 11' in CODEC.tokenizer.decode(
        played.completion
    )


def test_a_turn_that_only_calls_tools_stops_at_the_step_limit():
    played = rollout([LOOK_UP] * 3)
    assert played.stop == "max_steps"
    assert len(played.trajectory.turns[0].steps) == 3
    assert not well_formed(played)


def test_a_message_that_does_not_end_stops_the_dialogue():
    played = rollout(
        ["on and on "], limits=Limits(steps=3, step_tokens=20, tokens=500), ended=False
    )
    assert played.stop == "max_step_tokens"
    assert sum(played.mask) == 20
    assert not well_formed(played)


def test_a_dialogue_that_outgrows_its_tokens_stops():
    limits = Limits(steps=9, step_tokens=80, tokens=100)
    played = rollout([LOOK_UP] * 9, limits=limits)
    assert played.stop == "max_tokens"
    assert not well_formed(played)


def test_an_opening_that_leaves_no_room_is_an_error():
    with pytest.raises(EpisodeError, match="the opening of `serve` has"):
        rollout(["x"], limits=Limits(steps=3, step_tokens=20, tokens=5))


def test_a_broken_tool_is_a_fault_and_no_fact_of_the_dialogue():
    played = rollout([tool_call("broken"), "never said"])
    assert played.stop == "tool_failure"
    assert played.fault == "the booking system is down"


def test_a_policy_that_breaks_is_a_fault_and_what_was_said_before_is_kept():
    played = rollout([LOOK_UP, "broken"])
    assert (played.stop, played.fault) == ("policy_failure", "the server is gone")
    assert len(played.trajectory.turns[0].steps) == 1


def test_the_policy_is_given_what_is_new_alone():
    speaker = Speaker([LOOK_UP, "It is flex.", "Bye."])

    async def answer(calls):
        return [Answer("{}", "replay") for _ in calls]

    async def goes_on(trajectory):
        return True

    episode = Episode("e", "serve", "", Script(["Cancel AB12", "Thanks"]), answer, goes_on)
    played = asyncio.run(play(episode, CODEC, speaker, ROOMY))
    opening, results, user = speaker.given
    assert opening == played.prompt
    assert CODEC.tokenizer.decode(results) == "<|tool|>{}<|assistant|>"
    assert CODEC.tokenizer.decode(user) == "<|user|>Thanks<|assistant|>"


def test_a_reply_of_nothing_is_not_well_formed():
    assert not well_formed(rollout([""]))
