"""How requests are sent: places, deadlines, retries, sharing, withdrawal, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from cm2.judge.desk import Desk, Limits
from cm2.judge.engine import Answer, Answered, EngineError, Failed, Prompt, Usage
from cm2.judge.ledger import Ledger

T = TypeVar("T")

BOUND = 10.0
"""Seconds that no test takes."""


class Slow:
    """An engine that answers after what a coroutine does; `out` is how many are asked now."""

    identity = "slow"
    control_tokens: Sequence[str] = ()

    def __init__(self, work: Callable[[Prompt], Awaitable[Answer]]) -> None:
        self._work = work
        self.asked: list[str] = []
        self.out = self.most = 0
        self.withdrawn: list[str] = []
        self.closed = False

    async def answer(self, prompt: Prompt) -> Answer:
        self.asked.append(prompt.user)
        self.out += 1
        self.most = max(self.most, self.out)
        try:
            return await self._work(prompt)
        except asyncio.CancelledError:
            self.withdrawn.append(prompt.user)
            raise
        finally:
            self.out -= 1

    async def close(self) -> None:
        self.closed = True


class Waits(list[float]):
    """A sleep that only notes for how long."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def queue(*answers: Answer) -> Slow:
    left = list(answers)

    async def work(prompt: Prompt) -> Answer:
        return left.pop(0)

    return Slow(work)


def desk(engine: Slow, ledger: Ledger | None = None, **limits: object) -> Desk:
    waits = Waits()
    made = Desk(engine, Limits(**limits), ledger or Ledger(), Kept(), waits)
    made.waits = waits  # type: ignore[attr-defined]
    return made


class Kept(dict[str, Answered]):
    """A cache in memory."""

    def put(self, key: str, answer: Answered) -> None:
        self[key] = answer

    def close(self) -> None:
        pass


async def ask(made: Desk, user: str = "a", item: str = "t.u.i") -> Answer:
    return await made.ask(Prompt("s", user), user, item, lambda answer: None)


def run(work: Awaitable[T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(BOUND):
            return await work

    return asyncio.run(bounded())


DONE = Answered("done", Usage(10, 4, 3, 0.5))
BUSY = Failed("busy", "limited", again=True)


def test_no_more_are_out_than_there_are_places_and_all_are_answered() -> None:
    async def work(prompt: Prompt) -> Answer:
        await asyncio.sleep(0.001)
        return DONE

    async def main() -> None:
        engine = Slow(work)
        made = desk(engine, concurrency=3)
        answers = await asyncio.gather(*(ask(made, str(i)) for i in range(20)))
        assert answers == [DONE] * 20
        assert engine.most == 3

    run(main())


def test_a_slow_request_holds_up_no_other() -> None:
    async def main() -> None:
        first = asyncio.Event()

        async def work(prompt: Prompt) -> Answer:
            if prompt.user == "slow":
                await first.wait()
            return Answered(prompt.user)

        made = desk(Slow(work), concurrency=2)
        slow = asyncio.ensure_future(ask(made, "slow"))
        for i in range(10):
            assert await ask(made, str(i)) == Answered(str(i))
        assert not slow.done()
        first.set()
        assert await slow == Answered("slow")

    run(main())


def test_a_request_that_waits_to_be_sent_again_leaves_its_place_to_others() -> None:
    async def main() -> None:
        waiting = asyncio.Event()

        async def sleep(seconds: float) -> None:
            await waiting.wait()

        tried: list[str] = []

        async def work(prompt: Prompt) -> Answer:
            tried.append(prompt.user)
            return BUSY if tried.count("a") == 1 and prompt.user == "a" else DONE

        made = Desk(Slow(work), Limits(concurrency=1), Ledger(), Kept(), sleep)
        busy = asyncio.ensure_future(ask(made, "a"))
        assert await ask(made, "b") == DONE
        assert not busy.done()
        waiting.set()
        assert await busy == DONE

    run(main())


def test_the_deadline_counts_from_when_a_request_is_sent_and_not_from_when_it_is_asked() -> None:
    async def work(prompt: Prompt) -> Answer:
        await asyncio.sleep(0.05)
        return DONE

    async def main() -> None:
        made = desk(Slow(work), concurrency=1, deadline=0.4, tries=1)
        answers = await asyncio.gather(*(ask(made, str(i)) for i in range(12)))
        assert answers == [DONE] * 12  # the last was asked for half a second before it was sent

    run(main())


def test_a_try_past_its_deadline_is_over_and_its_time_is_counted() -> None:
    async def work(prompt: Prompt) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    ledger = Ledger()
    engine = Slow(work)
    answer = run(ask(desk(engine, ledger, deadline=0.05, tries=2)))
    assert isinstance(answer, Failed)
    assert (answer.trouble, answer.cause) == ("timeout", "no answer within 0.05 s")
    assert engine.withdrawn == ["a", "a"]
    assert (ledger.total.calls, ledger.total.seconds) == (2, pytest.approx(0.1))


@pytest.mark.parametrize("deadline", [None, 5.0])
def test_a_timeout_that_is_not_the_deadlines_is_the_engines_bug_and_is_shown(
    deadline: float | None,
) -> None:
    async def work(prompt: Prompt) -> Answer:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        run(ask(desk(Slow(work), deadline=deadline)))


def test_waits_double_are_spread_and_bounded_and_what_the_server_asks_for_goes_first() -> None:
    made = desk(queue(BUSY, BUSY, BUSY, BUSY, DONE), tries=5, backoff=1.0, longest_wait=3.0)
    assert run(ask(made)) == DONE
    first, *others = made.waits  # type: ignore[attr-defined]
    assert 0.5 <= first <= 1.0
    assert others == [min(first * factor, 3.0) for factor in (2, 4, 8)]
    again = desk(queue(BUSY, BUSY, BUSY, BUSY, DONE), tries=5, backoff=1.0, longest_wait=3.0)
    run(ask(again))
    assert again.waits == made.waits  # type: ignore[attr-defined]
    asked = Failed("busy", "limited", again=True, wait=1.25)
    long = Failed("busy", "limited", again=True, wait=99.0)
    told = desk(queue(asked, long, DONE), longest_wait=3.0)
    run(ask(told))
    assert told.waits == [1.25, 3.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("again", "calls"), [(True, 4), (False, 1)])
def test_only_what_may_do_better_is_sent_again_and_so_often(again: bool, calls: int) -> None:
    ledger = Ledger()
    failed = Failed("no", "outage" if again else "rejected", again=again)
    engine = queue(*[failed] * 4)
    assert run(ask(desk(engine, ledger, tries=4))) == failed
    assert len(engine.asked) == calls
    total = ledger.total
    assert (total.calls, total.retries, dict(total.troubles)) == (
        calls,
        calls - 1,
        {failed.trouble: calls},
    )


def test_equal_requests_at_once_are_one_and_each_later_one_is_a_hit() -> None:
    async def main() -> None:
        ledger = Ledger()
        engine = queue(DONE)
        made = desk(engine, ledger)
        both = await asyncio.gather(ask(made, item="x"), ask(made, item="y"))
        assert both == [DONE, DONE]
        assert await ask(made, item="z") == DONE
        assert engine.asked == ["a"]
        assert {name: (cost.calls, cost.hits) for name, cost in ledger.items.items()} == {
            "x": (1, 0),
            "y": (0, 1),
            "z": (0, 1),
        }

    run(main())


def test_failures_are_not_kept() -> None:
    async def main() -> None:
        made = desk(queue(BUSY, DONE), tries=1)
        assert await ask(made) == BUSY
        assert await ask(made) == DONE

    run(main())


def test_an_answer_that_cannot_be_used_is_a_failure_and_not_kept() -> None:
    async def main() -> None:
        off = Failed("off", "off_schema")
        made = desk(queue(DONE, DONE))
        assert await made.ask(Prompt("s", "a"), "a", "i", lambda _: off) == off
        assert await made.ask(Prompt("s", "a"), "a", "i", lambda _: None) == DONE

    run(main())


def test_a_request_is_withdrawn_when_the_last_who_waits_goes() -> None:
    async def main() -> None:
        async def work(prompt: Prompt) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

        engine = Slow(work)
        made = desk(engine)
        first, second = (asyncio.ensure_future(ask(made)) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        assert engine.withdrawn == []
        second.cancel()
        await asyncio.sleep(0.01)
        assert engine.withdrawn == ["a"]
        assert engine.out == 0

    run(main())


def test_a_request_asked_again_after_it_was_withdrawn_is_a_new_one() -> None:
    async def main() -> None:
        hang = True

        async def work(prompt: Prompt) -> Answer:
            if hang:
                await asyncio.Event().wait()
            return DONE

        engine = Slow(work)
        made = desk(engine, concurrency=1)
        first = asyncio.ensure_future(ask(made))
        await asyncio.sleep(0.01)
        hang = False
        first.cancel()
        await asyncio.sleep(0)  # it knows, and its request has not ended yet
        assert await ask(made) == DONE

    run(main())


def test_an_engine_that_can_answer_nothing_ends_all_who_wait_and_later_ones() -> None:
    async def main() -> None:
        async def work(prompt: Prompt) -> Answer:
            await asyncio.sleep(0.01)
            raise EngineError("the key is wrong", "mend it")

        made = desk(Slow(work))
        found = await asyncio.gather(ask(made), ask(made), return_exceptions=True)
        assert [type(one) for one in found] == [EngineError, EngineError]
        with pytest.raises(EngineError, match="the key is wrong"):
            await ask(made)

    run(main())


def test_closing_withdraws_what_is_out() -> None:
    async def main() -> None:
        async def work(prompt: Prompt) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

        engine = Slow(work)
        made = desk(engine)
        waiting = asyncio.ensure_future(ask(made))
        await asyncio.sleep(0.01)
        await made.close()
        assert engine.withdrawn == ["a"]
        assert engine.closed
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(main())
