"""Facts about an engine in this process that is stepped for as long as a dialogue waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rollout_doubles import desk, tiny_tokenizer
from stepped_engine import SmallEngine

from cm2.judge.engine import EngineError
from cm2.rollout.codec import Codec
from cm2.rollout.generator import PolicyFailure, Sampled
from cm2.rollout.limits import Limits
from cm2.rollout.stage import Stage
from cm2.rollout.stepped import SteppedGenerator
from cm2.train.config import Tiny
from cm2.train.tiny import build_model
from cm2dsl.reward.instance import instances

END = tiny_tokenizer().eos_token_id


@pytest.fixture(scope="module")
def model() -> Any:
    return build_model(tiny_tokenizer(), Tiny(hidden=16), positions=1024, seed=1).eval()


@pytest.fixture
def engine(model: Any) -> SmallEngine:
    return SmallEngine(model, [END])


async def say(generator: SteppedGenerator, seed: int, budget: int = 8) -> Sampled:
    with generator.open(np.random.default_rng(seed)) as line:
        await line.say([5, 6, seed % 7], budget)
        return await line.say([8], budget)


def test_dialogues_share_steps_and_each_says_what_it_says_alone(engine: SmallEngine) -> None:
    generator = SteppedGenerator(engine)

    async def together(seeds: range) -> list[Sampled]:
        async with generator:
            return await asyncio.gather(*(say(generator, seed) for seed in seeds))

    alone = [asyncio.run(together(range(seed, seed + 1)))[0] for seed in range(6)]
    assert engine.most == 1
    before = len(engine.log)
    assert asyncio.run(together(range(6))) == alone
    assert engine.most == 6
    assert len(engine.log) - before <= 2 * 8 + 1


def test_the_log_probabilities_are_those_of_what_was_sampled(
    engine: SmallEngine, model: Any
) -> None:
    generator = SteppedGenerator(engine)

    async def work() -> Sampled:
        async with generator:
            with generator.open(np.random.default_rng(0)) as line:
                return await line.say([5, 6], 8)

    said = asyncio.run(work())
    with torch.no_grad():
        logs = model(input_ids=torch.tensor([[5, 6, *said.ids]])).logits.log_softmax(-1)[0]
    expected = [logs[1 + i, token].item() for i, token in enumerate(said.ids)]
    assert said.logprobs == pytest.approx(expected, abs=1e-5)


def test_a_dialogue_that_is_refused_fails_alone(engine: SmallEngine) -> None:
    generator = SteppedGenerator(engine)

    async def long() -> Sampled:
        with generator.open(np.random.default_rng(0)) as line:
            return await line.say([5] * 401, 8)

    async def work() -> list[Any]:
        async with generator:
            return await asyncio.gather(say(generator, 1), long(), return_exceptions=True)

    right, wrong = asyncio.run(work())
    assert isinstance(right, Sampled)
    assert isinstance(wrong, PolicyFailure)
    assert str(wrong) == "the prompt is too long"


def test_who_is_cancelled_is_dropped_and_the_others_go_on(engine: SmallEngine) -> None:
    generator = SteppedGenerator(engine)

    async def work() -> Sampled:
        async with generator:
            patient = asyncio.create_task(say(generator, 1, budget=20))
            hasty = asyncio.create_task(say(generator, 2, budget=200))
            while engine.most < 2:
                await asyncio.sleep(0)
            hasty.cancel()
            return await patient

    alone = SteppedGenerator(SmallEngine(engine.model, [END]))

    async def single() -> Sampled:
        async with alone:
            return await say(alone, 1, budget=20)

    assert asyncio.run(work()) == asyncio.run(single())
    assert len(engine.dropped) == 1
    assert not engine.open


def test_an_engine_that_breaks_is_told_to_all_that_wait(engine: SmallEngine) -> None:
    engine.breaks = 1
    generator = SteppedGenerator(engine)

    async def work() -> list[Any]:
        async with generator:
            return await asyncio.gather(
                *(say(generator, seed) for seed in range(3)), return_exceptions=True
            )

    broken = asyncio.run(work())
    assert all(isinstance(one, EngineError) for one in broken)
    assert {str(one).partition(";")[0] for one in broken} == {
        "the policy's engine broke: RuntimeError: CUDA error: an illegal memory access"
    }
    engine.breaks = 0
    assert all(isinstance(one, Sampled) for one in asyncio.run(work()))


def test_rollouts_are_played_by_it(engine: SmallEngine, tmp_path: Path) -> None:
    bundle = desk(tmp_path)
    codec = Codec(tiny_tokenizer(), system="", tools=[])
    stage = Stage(bundle, codec, Limits(steps=2, step_tokens=6, tokens=400), [])
    rows = instances(bundle.spec) * 3
    try:
        played = [
            stage.play(rows, SteppedGenerator(engine), [(0, i) for i in range(len(rows))])
            for _ in range(2)
        ]
    finally:
        stage.close()
    assert not any(one.masked for one in played[0])
    first, second = ([one.rollout.completion for one in all_] for all_ in played)
    assert first == second
    assert engine.most > 1
