"""Requests in batches: what goes together, and that one that gives up or breaks harms no other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from cm2.judge import Answer, Answered, Prompt
from cm2.judge.batching import Batching, Wanted


def prompt(text: str, lane: str = "") -> Prompt:
    return Prompt("", text, lane=lane)


class Model:
    """Answers a prompt with its own text. While `free` is not set, it works on its first batch."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.free = threading.Event()
        self.begun = threading.Event()
        self.unwanted = False
        self.free.set()

    def __call__(self, prompts: Sequence[Prompt], wanted: Wanted) -> list[Answer]:
        self.batches.append([one.user for one in prompts])
        self.begun.set()
        for _ in range(2000):
            if self.free.wait(0.005):
                break
            if not wanted():
                self.unwanted = True
                break
        if any(one.user == "breaks" for one in prompts):
            raise RuntimeError("the model broke")
        return [Answered(one.user) for one in prompts]


async def begun(model: Model) -> None:
    assert await asyncio.to_thread(model.begun.wait, 10)


async def asked(batching: Batching, *prompts: Prompt) -> list[Any]:
    """The texts of the answers, or what was raised instead."""
    answers = await asyncio.gather(
        *(batching.answer(one) for one in prompts), return_exceptions=True
    )
    return [one.text if isinstance(one, Answered) else one for one in answers]


def run(work: Callable[[Model], Coroutine[Any, Any, None]]) -> Model:
    model = Model()
    asyncio.run(asyncio.wait_for(work(model), 20))
    return model


def test_all_that_wait_go_together_and_each_gets_its_own_answer() -> None:
    async def work(model: Model) -> None:
        batching = Batching(model, 4)
        texts = [str(number) for number in range(10)]
        assert await asked(batching, *map(prompt, texts)) == texts
        await batching.close()

    assert [len(batch) for batch in run(work).batches] == [4, 4, 2]


def test_a_lane_goes_together_and_the_one_that_waited_longest_goes_first() -> None:
    """Also against lanes that would come first by name, and keep on coming."""

    async def work(model: Model) -> None:
        batching = Batching(model, 3)
        model.free.clear()
        first = asyncio.ensure_future(batching.answer(prompt("first")))
        await begun(model)
        lanes = ["z", "a", "z", "a", "a", "z"]
        rest = asyncio.ensure_future(
            asked(batching, *(prompt(f"{lane}{n}", lane) for n, lane in enumerate(lanes)))
        )
        await asyncio.sleep(0)
        model.free.set()
        await asyncio.gather(first, rest)
        await batching.close()

    assert run(work).batches == [["first"], ["z0", "z2", "z5"], ["a1", "a3", "a4"]]


def test_the_event_loop_goes_on_while_the_model_works() -> None:
    async def work(model: Model) -> None:
        batching = Batching(model, 4)
        model.free.clear()
        waiting = asyncio.ensure_future(batching.answer(prompt("a")))
        await begun(model)
        start = time.perf_counter()
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert time.perf_counter() - start < 5
        assert not waiting.done()
        model.free.set()
        assert await waiting == Answered("a")
        await batching.close()

    run(work)


def test_who_stops_waiting_is_not_asked_for_and_the_others_are() -> None:
    async def work(model: Model) -> None:
        batching = Batching(model, 4)
        model.free.clear()
        first = asyncio.ensure_future(batching.answer(prompt("first")))
        await begun(model)
        given_up, kept = (
            asyncio.ensure_future(batching.answer(prompt(text))) for text in ("given up", "kept")
        )
        await asyncio.sleep(0)
        given_up.cancel()
        model.free.set()
        assert (await first, await kept) == (Answered("first"), Answered("kept"))
        assert given_up.cancelled()
        await batching.close()

    assert run(work).batches == [["first"], ["kept"]]


def test_the_model_hears_when_nobody_waits_for_its_batch_any_more() -> None:
    async def work(model: Model) -> None:
        batching = Batching(model, 4)
        model.free.clear()
        one, other = (asyncio.ensure_future(batching.answer(prompt(text))) for text in "ab")
        await begun(model)
        one.cancel()
        await asyncio.sleep(0.05)
        assert not model.unwanted
        other.cancel()
        while not model.unwanted:
            await asyncio.sleep(0.01)
        model.free.set()
        assert await asked(batching, prompt("next")) == ["next"]
        await batching.close()

    assert run(work).batches == [["a", "b"], ["next"]]


def test_what_breaks_in_a_batch_is_raised_to_all_of_it_and_to_no_other() -> None:
    async def work(model: Model) -> None:
        batching = Batching(model, 2)
        found = await asked(batching, *map(prompt, ["a", "breaks", "b", "c"]))
        assert [str(one) for one in found] == ["the model broke", "the model broke", "b", "c"]
        assert await asked(batching, prompt("d")) == ["d"]
        await batching.close()

    run(work)


def test_a_batch_with_too_few_answers_is_an_error_and_not_a_wait_without_end() -> None:
    async def work() -> None:
        batching = Batching(lambda prompts, wanted: [], 4)
        with pytest.raises(ValueError, match="zip"):
            await batching.answer(prompt("a"))
        await batching.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_closing_ends_the_batch_at_work_and_cancels_who_waits() -> None:
    async def work(model: Model) -> None:
        batching = Batching(model, 1)
        model.free.clear()
        tasks = [asyncio.ensure_future(batching.answer(prompt(text))) for text in "ab"]
        await begun(model)
        await batching.close()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in done)

    model = run(work)
    assert model.unwanted
    assert model.batches == [["a"]]
