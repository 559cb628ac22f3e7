"""What the prompts of a lane share: encoded once, and without a trace in any answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import judge_models
import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from cm2.judge import Answer, Answered, Prompt, Usage
from cm2.judge.engines.transformers import TransformersEngine, load_engine
from cm2dsl import prompts

DIALOGUE = "The user asks, the agent answers, and a tool says what it always says. " * 12
OTHER = "Another dialogue, about something else altogether. " * 9


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge_models.save(tmp_path_factory.mktemp("model"), judge_models.byte_level())


def engine(directory: Path) -> TransformersEngine:
    return load_engine(directory, prompts.files(), max_tokens=2048, batch_size=16)


def lane(name: str, dialogue: str, count: int, start: int = 0) -> list[Prompt]:
    """Prompts on a dialogue, the item last; some greedy, some with a seed."""
    return [
        Prompt("Judge.", f"{dialogue}\nitem {i} " + "really " * (i % 4), i % 3 or None, lane=name)
        for i in range(start, start + count)
    ]


def same(answers: list[Answer], others: list[Answer]) -> bool:
    """Whether texts are equal, and probabilities as far as floats hold."""
    pairs = list(zip(answers, others, strict=True))
    return all(
        isinstance(one, Answered)
        and isinstance(other, Answered)
        and one.text == other.text
        and one.confidence == pytest.approx(other.confidence, abs=1e-4)
        for one, other in pairs
    )


def usages(answers: list[Answer]) -> list[Usage]:
    return [one.usage for one in answers]


class Counted:
    """How many positions a model encoded in passes over more than the token it just wrote."""

    def __init__(self, own: TransformersEngine) -> None:
        self.positions = 0
        own._loaded.model.get_input_embeddings().register_forward_pre_hook(self._count)

    def _count(self, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        rows, width = args[0].shape
        if width > 1:
            self.positions += rows * width


def test_answers_are_those_of_prompts_that_share_nothing(model_dir: Path) -> None:
    """Alone, together, in a batch with another lane of another length, in any order."""
    mixed = [*lane("a", DIALOGUE, 7), *lane("b", OTHER, 4), Prompt("Judge.", "alone", 5)]
    alone = [answer for one in mixed for answer in engine(model_dir).answers([one])]
    own = engine(model_dir)
    assert same(own.answers(mixed), alone)
    assert same(own.answers(mixed[::-1])[::-1], alone)
    assert same([*own.answers(mixed[:3]), *own.answers(mixed[3:])], alone)


def test_keys_and_values_are_those_of_the_whole_prompt(model_dir: Path) -> None:
    """The logits behind a beginning taken from elsewhere equal those of one pass, to 1e-5."""
    own = engine(model_dir)
    rows = [own._loaded.encode(one) for one in [*lane("a", DIALOGUE, 3), *lane("b", OTHER, 2)]]
    with torch.inference_mode():
        begun = own._prefixes.begin(rows, ["a", "a", "a", "b", "b"])
        assert begun.cache is not None
        behind = begun.input_ids[:, begun.cache.get_seq_length() :]
        positions = (begun.mask.cumsum(-1) - 1)[:, -behind.shape[1] :].clamp(min=0)
        logits = own._loaded.model(
            input_ids=behind,
            attention_mask=begun.mask,
            position_ids=positions,
            past_key_values=begun.cache,
        ).logits[:, -1]
        for row, seen in zip(rows, logits, strict=True):
            whole = own._loaded.model(torch.tensor([row])).logits[0, -1]
            torch.testing.assert_close(seen, whole, rtol=1e-5, atol=1e-5)


def test_what_a_lane_shares_is_encoded_once(model_dir: Path) -> None:
    asked = lane("a", DIALOGUE, 12)
    own = engine(model_dir)
    counted = Counted(own)
    answers = own.answers(asked)
    longest = max(len(own._loaded.encode(one)) for one in asked)
    shared = min(one.cached or 0 for one in usages(answers)[1:])
    assert shared > 0.8 * longest
    assert counted.positions <= shared + 12 * (longest - shared)
    assert usages(answers)[0].cached == 0
    assert {one.cached for one in usages(answers)[1:]} == {shared}


def test_the_next_batch_begins_where_the_last_one_did(model_dir: Path) -> None:
    """More items of a lane, and then the next turn, whose dialogue goes on from this one."""
    own = engine(model_dir)
    first = own.answers(lane("a", DIALOGUE, 4))
    shared = usages(first)[1].cached
    assert shared is not None
    counted = Counted(own)
    more = own.answers(lane("a", DIALOGUE, 4, start=4))
    assert usages(more)[0].cached == shared
    later = own.answers(lane("a2", DIALOGUE + OTHER, 4))
    assert shared - 8 <= (usages(later)[0].cached or 0) <= shared
    longest = max(one.prompt or 0 for one in usages(later))
    assert counted.positions < longest + 4 * 60 + 4 * 60


def test_a_lane_that_was_not_there_before_takes_nothing_from_another(model_dir: Path) -> None:
    own = engine(model_dir)
    own.answers(lane("a", DIALOGUE, 3))
    (alone,) = engine(model_dir).answers(lane("b", OTHER, 1))
    (after,) = own.answers(lane("b", OTHER, 1))
    assert same([alone], [after])


def test_a_model_with_a_window_is_decoded_without_shared_beginnings(tmp_path: Path) -> None:
    """Its cache has no keys and values of all tokens; the answers are the same all the same."""
    directory = judge_models.save(tmp_path, judge_models.byte_level())
    torch.manual_seed(0)
    MistralForCausalLM(
        MistralConfig(
            vocab_size=700,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=8192,
            sliding_window=64,
            initializer_range=1.0,
        )
    ).save_pretrained(directory)
    own = engine(directory)
    assert not own._prefixes.usable
    asked = lane("a", DIALOGUE, 4)
    together = own.answers(asked)
    assert same(together, [answer for one in asked for answer in own.answers([one])])
    assert {one.cached for one in usages(together)} == {0}


def test_a_prompt_may_be_the_beginning_of_another(model_dir: Path) -> None:
    asked = [Prompt("Judge.", DIALOGUE[:length], 1, lane="a") for length in (40, 400, 41, 40)]
    own = engine(model_dir)
    together = own.answers(asked)
    assert same(together, [own.answers([replace(one, lane="")])[0] for one in asked])
