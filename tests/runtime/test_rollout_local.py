"""Facts about sampling from a transformers model in this process, with small random ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from rollout_doubles import tiny_tokenizer

from cm2.rollout.dialogue import EpisodeError
from cm2.rollout.generator import Usage
from cm2.rollout.local import LocalGenerator
from cm2.rollout.sampling import BAND, Sampling
from cm2.train.config import Tiny
from cm2.train.tiny import build_model

VOCABULARY = 300
END = 3
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": END,
    "tie_word_embeddings": False,
}


def model_of(name: str, **more: Any) -> Any:
    transformers.set_seed(0)
    config = getattr(transformers, f"{name}Config")(**{**SMALL, **more})
    return transformers.AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(scope="module")
def model() -> Any:
    """The policy that `cm2 train` builds, untrained: a layer with a window, and one without."""
    return build_model(tiny_tokenizer(), Tiny(hidden=32), positions=2048, seed=1).eval()


@dataclass(frozen=True)
class Spoken:
    """What one dialogue was given and said, message by message."""

    given: list[list[int]]
    said: list[list[int]]
    logprobs: list[list[float]]


def spoken(
    model: Any,
    number: int = 12,
    *,
    concurrent: int = 99,
    order: Sequence[int] | None = None,
    pauses: bool = False,
    messages: int = 3,
    **options: Any,
) -> tuple[list[Spoken], Usage]:
    """Dialogues of several messages; what is given in dialogue i follows from i alone."""
    ends = [model.config.eos_token_id]
    generator = LocalGenerator(model, ends=ends, pad=0, **options)

    async def one(i: int, free: asyncio.Semaphore) -> Spoken:
        chance = np.random.default_rng((1, i))
        found = Spoken([], [], [])
        async with free:
            with generator.open(np.random.default_rng((2, i))) as line:
                for _ in range(messages):
                    given = chance.integers(4, VOCABULARY, chance.integers(1, 50)).tolist()
                    sampled = await line.say(given, int(chance.integers(1, 25)))
                    found.given.append(given)
                    found.said.append(sampled.ids)
                    found.logprobs.append(sampled.logprobs)
                    if pauses:
                        await asyncio.sleep((i * 7 % 5) * 0.002)
        return found

    async def all_() -> list[Spoken]:
        free = asyncio.Semaphore(concurrent)
        async with generator:
            tasks = {i: asyncio.ensure_future(one(i, free)) for i in order or range(number)}
            await asyncio.gather(*tasks.values())
        return [tasks[i].result() for i in range(number)]

    return asyncio.run(all_()), generator.usage


def ids_of(dialogues: Sequence[Spoken]) -> list[list[list[int]]]:
    return [one.said for one in dialogues]


def assert_own_log_probabilities(model: Any, dialogues: Sequence[Spoken], within: float) -> None:
    """Each message's log-probabilities are those of one forward over the dialogue before it."""
    for one in dialogues:
        whole: list[int] = []
        for given, said, logprobs in zip(one.given, one.said, one.logprobs, strict=True):
            whole += given
            with torch.no_grad():
                logits = model(input_ids=torch.tensor([[*whole, *said]]), use_cache=False).logits
            logs = logits.log_softmax(-1)[0]
            expected = [logs[len(whole) - 1 + i, token].item() for i, token in enumerate(said)]
            assert logprobs == pytest.approx(expected, abs=within)
            whole += said


MODELS = {
    "llama": ("Llama", {}),
    "qwen3": ("Qwen3", {"head_dim": 8}),
    "mistral": ("Mistral", {"sliding_window": 16}),
    "qwen2 with windows": (
        "Qwen2",
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    ),
    "gemma3": ("Gemma3Text", {"sliding_window": 600, "head_dim": 8}),
    "phi3": ("Phi3", {}),
    "gpt_neox": ("GPTNeoX", {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_cache_of_slots_gives_what_the_model_gives(name: str) -> None:
    kind, more = MODELS[name]
    model = model_of(kind, **more)
    dialogues, usage = spoken(model, 6)
    assert_own_log_probabilities(model, dialogues, 2e-5)
    given = sum(len(piece) for one in dialogues for piece in one.given)
    assert usage.prefilled < given + 3 * len(dialogues)  # nothing twice


def test_a_model_with_a_recurrent_state_is_run_over_whole_dialogues() -> None:
    model = model_of("Mamba", state_size=4, num_hidden_layers=2)
    dialogues, _ = spoken(model, 4, messages=2)
    assert_own_log_probabilities(model, dialogues, 2e-5)
    assert ids_of(dialogues) == ids_of(spoken(model, 4, messages=2, concurrent=1)[0])


def test_a_model_with_an_encoder_is_refused() -> None:
    config = transformers.T5Config(vocab_size=50, d_model=8, num_layers=1, d_ff=8, num_heads=1)
    with pytest.raises(ValueError, match="encoder"):
        LocalGenerator(transformers.T5ForConditionalGeneration(config), ends=[1], pad=0)


def test_log_probabilities_are_the_models_own(model: Any) -> None:
    dialogues, usage = spoken(model)
    assert_own_log_probabilities(model, dialogues, 1e-5)
    assert usage.sampled == sum(len(said) for one in dialogues for said in one.said)


COMPANIES: dict[str, dict[str, Any]] = {
    "alone": {"concurrent": 1},
    "five at once": {"concurrent": 5},
    "another order": {"order": [*range(9, -1, -1)]},
    "slow tools": {"pauses": True, "concurrent": 7},
    "few slots": {"slots": 3, "pauses": True},
    "one slot": {"slots": 1},
}


@pytest.mark.parametrize("company", COMPANIES)
@pytest.mark.parametrize("band", [BAND, 0.05])
def test_what_a_dialogue_says_does_not_depend_on_its_company(
    model: Any, company: str, band: float
) -> None:
    """With a wide band, many tokens are decided apart, and they are the same ones everywhere."""
    together, usage = spoken(model, 10, band=band)
    other, again = spoken(model, 10, band=band, **COMPANIES[company])
    assert ids_of(together) == ids_of(other)
    for one, two in zip(together, other, strict=True):
        for left, right in zip(one.logprobs, two.logprobs, strict=True):
            assert left == pytest.approx(right, abs=1e-5)
    if band > BAND:
        assert min(usage.exact, again.exact) > 40


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.0),
        Sampling(temperature=0.7, top_p=0.9),
        Sampling(top_k=20, min_p=0.02),
    ],
)
def test_every_way_of_sampling_is_the_same_in_every_company(model: Any, sampling: Any) -> None:
    together, _ = spoken(model, sampling=sampling)
    alone, _ = spoken(model, sampling=sampling, concurrent=1)
    assert ids_of(together) == ids_of(alone)


class Rough(torch.nn.Module):
    """A model whose logits are off by something else in every forward: a large rounding."""

    def __init__(self, model: Any, error: float) -> None:
        super().__init__()
        self.inner, self.error = model, error
        self.config, self.dtype, self.device = model.config, model.dtype, model.device
        self.noise = torch.Generator().manual_seed(0)

    def forward(self, **given: Any) -> Any:
        out = self.inner(**given)
        if given.get("use_cache"):
            shape = out.logits.shape
            out.logits = out.logits + self.error * (2 * torch.rand(shape, generator=self.noise) - 1)
        return out


def test_tokens_stay_the_same_while_rounding_is_below_the_band_and_not_beyond(model: Any) -> None:
    exact, _ = spoken(model)
    below, usage = spoken(Rough(model, 0.004), band=0.01)
    beyond, _ = spoken(Rough(model, 0.5), band=0.0)
    assert ids_of(below) == ids_of(exact)
    assert usage.exact > 10
    assert ids_of(beyond) != ids_of(exact)


def test_weights_may_change_between_two_times(model: Any) -> None:
    mine = build_model(tiny_tokenizer(), Tiny(hidden=32), positions=512, seed=1)
    generator = LocalGenerator(mine, ends=[mine.config.eos_token_id], pad=0)

    async def say() -> list[int]:
        async with generator:
            with generator.open(np.random.default_rng(0)) as line:
                return (await line.say([5, 6, 7], 20)).ids

    mine.train()
    first = asyncio.run(say())
    assert mine.training
    with torch.no_grad():
        for weight in mine.parameters():
            weight.mul_(-1.0)
    assert asyncio.run(say()) != first
    with torch.no_grad():
        for weight in mine.parameters():
            weight.mul_(-1.0)
    assert asyncio.run(say()) == first


def test_the_same_noise_gives_the_same_ids_whatever_the_budget(model: Any) -> None:
    generator = LocalGenerator(model, ends=[], pad=0)

    async def say(*budgets: int) -> list[int]:
        async with generator:
            with generator.open(np.random.default_rng(0)) as line:
                said = [
                    await line.say([5, 6, 7] if i == 0 else [9], n) for i, n in enumerate(budgets)
                ]
        return said[0].ids

    assert asyncio.run(say(200))[:70] == asyncio.run(say(70, 9))


def test_a_model_that_fails_fails_whoever_asks_and_later_askers_too(model: Any) -> None:
    class Failing(Rough):
        def forward(self, **given: Any) -> Any:
            raise MemoryError("no memory")

    generator = LocalGenerator(Failing(model, 0.0), ends=[3], pad=0)

    async def work() -> None:
        async with generator:
            for _ in range(2):
                with generator.open(np.random.default_rng(0)) as line, pytest.raises(MemoryError):
                    await asyncio.wait_for(line.say([5], 3), 20)

    asyncio.run(work())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_model_that_gives_no_numbers_is_an_error_that_says_so(
    model: Any, temperature: float
) -> None:
    class Broken(Rough):
        def forward(self, **given: Any) -> Any:
            out = super().forward(**given)
            out.logits = out.logits * float("nan")
            return out

    sampling = Sampling(temperature=temperature)
    generator = LocalGenerator(Broken(model, 0.0), ends=[3], pad=0, sampling=sampling)

    async def work() -> None:
        async with generator:
            with generator.open(np.random.default_rng(0)) as line:
                await asyncio.wait_for(line.say([5], 3), 20)

    with pytest.raises(EpisodeError, match=r"are no numbers \(NaN\).*lower learning rate"):
        asyncio.run(work())


def test_a_dialogue_that_is_cancelled_leaves_the_others_alone(model: Any) -> None:
    alone, _ = spoken(model, 1)
    generator = LocalGenerator(model, ends=[model.config.eos_token_id], pad=0, slots=2)

    async def endless() -> None:
        with generator.open(np.random.default_rng(5)) as line:
            await line.say([5], 10**6)

    async def work() -> list[int]:
        async with generator:
            tasks = [asyncio.ensure_future(endless()) for _ in range(2)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            with generator.open(np.random.default_rng((2, 0))) as line:
                return (await line.say(alone[0].given[0], len(alone[0].said[0]))).ids

    assert asyncio.run(asyncio.wait_for(work(), 20)) == alone[0].said[0]
