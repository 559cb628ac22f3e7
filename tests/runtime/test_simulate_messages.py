"""The calls of one message: reads at the same time, a write alone, the log in the order written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import recording, without_effects

from cm2.simulate import Answer, ToolFailure, World
from cm2.simulate.backend import Asked, Backend, Passed
from cm2.simulate.replay import Recordings, Replay
from cm2.simulate.tools import Tools
from cm2.trajectory import Call
from cm2dsl import ir

OPEN = {"type": "object"}
TOOLS = (
    ir.Tool(name="read", parameters=OPEN, effect="read"),
    ir.Tool(name="other", parameters=OPEN, effect="generic"),
    ir.Tool(name="write", parameters=OPEN, effect="write"),
)


class Slow:
    """Answers call x with `"x"` after `waits[x]` turns of the event loop, and says what it does."""

    def __init__(
        self, waits: dict[str, int] | None = None, in_order: bool = False, fails: str = ""
    ) -> None:
        self.waits = waits or {}
        self.in_order = in_order
        self.fails = fails
        self.done: list[str] = []
        self.asked: dict[str, Asked] = {}

    async def answer(self, asked: Asked) -> Answer | Passed | None:
        name = asked.arguments["x"]
        self.asked[name] = asked
        self.done.append(f"ask {name}")
        try:
            for _ in range(self.waits.get(name, 0)):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.done.append(f"give up {name}")
            raise
        if name == self.fails:
            raise ToolFailure(f"{name} broke")
        self.done.append(f"answer {name}")
        return Answer(name, "python")

    async def follow(self, asked: Asked, answer: Answer) -> None:
        assert [event.answer.text for event in asked.history] == [
            word.removeprefix("follow ") for word in self.done
        ]
        self.done.append(f"follow {answer.text}")

    async def close(self) -> None:
        return None


class Late(Slow):
    """Has no answer, after a while."""

    async def answer(self, asked: Asked) -> Passed:
        await super().answer(asked)
        return Passed("late: none")


def message(*made: str) -> list[Call]:
    """`"read a"` is the call `read(x="a")`."""
    split = [one.split() for one in made]
    return [Call(f"c{n}", tool, {"x": x}, "") for n, (tool, x) in enumerate(split)]


def world(*backends: Backend, tools: tuple[ir.Tool, ...] = TOOLS) -> World:
    return World(Tools(tools), backends)


def answered(world: World, *made: str) -> list[str]:
    async def within_time() -> Sequence[Answer]:
        return await asyncio.wait_for(world.answer(message(*made)), 10)

    return [answer.text for answer in asyncio.run(within_time())]


def test_reads_of_one_message_are_all_asked_before_any_of_them_is_answered() -> None:
    slow = Slow({"a": 9, "b": 3, "c": 6})
    assert answered(world(slow), "read a", "other b", "read c") == ["a", "b", "c"]
    assert slow.done == ["ask a", "ask b", "ask c", "answer b", "answer c", "answer a"]


def test_what_stands_before_a_write_is_answered_first_and_what_stands_behind_it_waits() -> None:
    slow = Slow({"a": 5, "w": 5})
    answered(world(slow), "read a", "read b", "write w", "read c", "read d")
    at = slow.done.index
    assert max(at("answer a"), at("answer b")) < at("ask w")
    assert at("answer w") < min(at("ask c"), at("ask d"))


def test_tools_without_an_effect_are_answered_one_after_the_other() -> None:
    slow = Slow({"a": 5})
    answered(world(slow, tools=without_effects(TOOLS)), "read a", "read b")
    assert slow.done == ["ask a", "answer a", "ask b", "answer b"]


@given(st.permutations(range(0, 20, 4)))
def test_the_log_and_the_answers_are_in_the_order_of_the_message(waits: list[int]) -> None:
    played = world(Slow(dict(zip("abcde", waits, strict=True))))
    assert answered(played, *(f"read {x}" for x in "abcde")) == list("abcde")
    assert [event.answer.text for event in played.log] == list("abcde")


def test_a_call_that_is_refused_has_its_place_in_the_log_and_holds_nobody_up() -> None:
    slow = Slow({"a": 5})
    played = world(slow)
    texts = answered(played, "read a", "gone b", "read c")
    assert texts[::2] == ["a", "c"]
    assert [event.tool for event in played.log] == ["read", "gone", "read"]
    assert slow.done[:2] == ["ask a", "ask c"]


@given(st.permutations(range(0, 20, 4)))
def test_a_backend_that_is_in_order_sees_all_answers_before_its_own(waits: list[int]) -> None:
    slow = Slow(dict(zip("abcde", waits, strict=True)), in_order=True)
    late = Late(dict(zip("abcde", reversed(waits), strict=True)))
    assert answered(world(late, slow), *(f"read {x}" for x in "abcde")) == list("abcde")
    for index, name in enumerate("abcde"):
        seen = slow.asked[name]
        assert [event.answer.text for event in seen.history] == list("abcde"[:index])
        assert not seen.beside


@given(st.permutations(range(0, 20, 4)))
def test_later_backends_follow_in_the_order_of_the_message(waits: list[int]) -> None:
    follows = Slow()
    answered(
        world(Slow(dict(zip("abcde", waits, strict=True))), follows),
        *(f"read {x}" for x in "abcde"),
    )
    assert follows.done == [f"follow {x}" for x in "abcde"]


@pytest.mark.parametrize("effects", [True, False])
@given(waits=st.permutations(range(0, 20, 4)))
def test_equal_calls_of_one_message_are_counted_by_their_places(
    effects: bool, waits: list[int]
) -> None:
    """Whichever reaches the recordings first."""

    class Waiting(Late):
        async def answer(self, asked: Asked) -> Passed:
            for _ in range(waits[len(asked.beside)]):
                await asyncio.sleep(0)
            return Passed("late: none")

    tools = Tools(TOOLS if effects else without_effects(TOOLS))
    calls: list[tuple[str, dict[str, Any], str]] = [("read", {"x": "a"}, str(n)) for n in range(6)]
    replay = Replay(Recordings([recording("t", *calls)], tools))
    played = World(tools, [Waiting(), replay])
    assert answered(played, "read a") == ["0"]
    assert answered(played, *["read a"] * 5) == ["1", "2", "3", "4", "5"]


def test_equal_calls_of_one_message_are_counted_once_where_the_first_is_already_answered() -> None:
    tools = Tools(TOOLS)
    calls: list[tuple[str, dict[str, Any], str]] = [("read", {"x": "a"}, str(n)) for n in range(3)]
    played = World(tools, [Replay(Recordings([recording("t", *calls)], tools))])
    assert answered(played, "read a", "read a", "read a") == ["0", "1", "2"]


def test_a_failure_is_raised_and_what_else_is_being_answered_is_given_up() -> None:
    slow = Slow({"b": 3, "c": 50}, fails="b")
    played = world(slow)
    with pytest.raises(ToolFailure, match="b broke"):
        answered(played, "read a", "read b", "read c", "write d")
    assert slow.done[-1] == "give up c"
    assert "ask d" not in slow.done
    assert [event.answer.text for event in played.log] == ["a"]


def test_fifty_calls_of_one_message_are_answered_in_their_order() -> None:
    made = [f"{'write' if n % 7 == 3 else 'read'} {n}" for n in range(50)]
    slow = Slow({str(n): 50 - n for n in range(50)})
    assert answered(world(slow), *made) == [str(n) for n in range(50)]


def test_nobody_has_an_answer_and_every_backend_says_why_it_passed() -> None:
    tools = Tools(TOOLS)
    recordings = Recordings([recording("t", ("read", {"x": "b"}, "1"))], tools)
    played = World(tools, [Late(), Replay(recordings)])
    answered(played, "read a")
    (event,) = played.log
    assert event.answer == Answer(
        '{"error":"read has no answer to this"}',
        "nobody",
        "late: none; replay: `read` is not recorded with these arguments",
    )
