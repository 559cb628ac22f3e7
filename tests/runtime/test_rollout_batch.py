"""Facts about batching: who is answered together, and what a failure does."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from cm2.rollout.batch import Batches, Request
from cm2.rollout.generator import Sampled


def echo(requests: list[Request]) -> list[Sampled]:
    return [Sampled([one.ids[0], len(one.ids)], [0.0, 0.0]) for one in requests]


def test_all_that_ask_at_a_time_share_a_batch_and_a_line_remembers():
    sizes = []

    def sample(requests):
        sizes.append(len(requests))
        return echo(requests)

    async def work():
        batches = Batches(sample)
        lines = [batches.open(np.random.default_rng(i)) for i in range(3)]
        first = await asyncio.gather(*(line.say([i], 8) for i, line in enumerate(lines)))
        second = await asyncio.gather(*(line.say([5], 8) for line in lines))
        return first, second

    first, second = asyncio.run(work())
    assert [one.ids for one in first] == [[0, 1], [1, 1], [2, 1]]
    assert [one.ids for one in second] == [[0, 4], [1, 4], [2, 4]]
    assert sizes == [3, 3]


def test_a_sampler_that_fails_fails_who_asked():
    def sample(requests):
        raise MemoryError

    async def work():
        line = Batches(sample).open(np.random.default_rng(0))
        await line.say([1], 8)

    with pytest.raises(MemoryError):
        asyncio.run(work())
