"""Facts about batching: who is answered together, in which order, and what a failure does."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from cm2.rollout.batch import Request, Sampled, play_together


def request(*ids: int) -> Request:
    return Request(list(ids), 8, np.random.default_rng(0))


def echo(batches: list[list[list[int]]]):
    def sample(requests: list[Request]) -> list[Sampled]:
        batches.append([list(one.ids) for one in requests])
        return [Sampled([one.ids[0]], [0.0]) for one in requests]

    return sample


def test_requests_of_all_dialogues_share_a_batch_whatever_the_tools_delays():
    orders = []
    for delays in ([0.0, 0.01, 0.02], [0.02, 0.01, 0.0]):
        batches: list[list[list[int]]] = []

        def dialogue(index: int, delay: float):
            async def run(seat):
                await seat.generate(request(index))
                await asyncio.sleep(delay)
                return (await seat.generate(request(index, 1))).ids

            return run

        dialogues = [dialogue(i, delay) for i, delay in enumerate(delays)]
        assert asyncio.run(play_together(dialogues, echo(batches))) == [[0], [1], [2]]
        orders.append(batches)
    assert orders[0] == orders[1] == [[[0], [1], [2]], [[0, 1], [1, 1], [2, 1]]]


def test_a_dialogue_that_ends_does_not_hold_up_the_others():
    batches: list[list[list[int]]] = []

    def dialogue(rounds: int):
        async def run(seat):
            for _ in range(rounds):
                await seat.generate(request(rounds))
            return rounds

        return run

    rounds = [1, 3, 0, 2]
    assert asyncio.run(play_together([dialogue(r) for r in rounds], echo(batches))) == rounds
    assert [len(batch) for batch in batches] == [3, 2, 1]


def test_the_first_failure_is_raised_and_ends_the_others():
    async def breaks(seat):
        raise KeyError("spec")

    async def waits(seat):
        await seat.generate(request(1))
        await asyncio.sleep(3600)

    with pytest.raises(KeyError):
        asyncio.run(play_together([waits, breaks], echo([])))


def test_a_sampler_that_fails_fails_the_run():
    def sample(requests: list[Request]) -> list[Sampled]:
        raise MemoryError

    async def asks(seat):
        await seat.generate(request(1))

    with pytest.raises(MemoryError):
        asyncio.run(play_together([asks, asks], sample))
