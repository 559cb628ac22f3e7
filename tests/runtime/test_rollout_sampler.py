"""Facts about sampling from a transformers model, with a small random one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rollout_doubles import tiny_tokenizer

from cm2.rollout.batch import Request
from cm2.rollout.sampler import ModelSampler
from cm2.train.config import Tiny
from cm2.train.tiny import build_model

PROMPTS = [[5, 6, 7], [8, 9, 10, 11, 12, 13, 14], [15], [16, 17, 18, 19]]


@pytest.fixture(scope="module")
def policy():
    tokenizer = tiny_tokenizer()
    model = build_model(tokenizer, Tiny(hidden=32), positions=128, seed=1)
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] *= 3  # so that some answers end early
    return model.eval(), tokenizer


def requests(budget: int = 12) -> list[Request]:
    return [Request(ids, budget, np.random.default_rng((7, i))) for i, ids in enumerate(PROMPTS)]


def sampler(policy, **options) -> ModelSampler:
    model, tokenizer = policy
    settings = {"temperature": 1.0, **options}
    return ModelSampler(model, end=[tokenizer.eos_token_id], pad=tokenizer.pad_token_id, **settings)


def test_log_probabilities_are_the_models_own(policy):
    for request, sampled in zip(requests(), sampler(policy)(requests()), strict=True):
        ids = torch.tensor([[*request.ids, *sampled.ids]])
        with torch.no_grad():
            logs = policy[0](input_ids=ids).logits.log_softmax(-1)[0]
        start = len(request.ids) - 1
        expected = [logs[start + i, token].item() for i, token in enumerate(sampled.ids)]
        assert sampled.logprobs == pytest.approx(expected, abs=1e-4)


def test_what_a_dialogue_samples_does_not_depend_on_its_batch(policy):
    together = sampler(policy)(requests())
    alone = [sampler(policy)([request])[0] for request in requests()]
    chunked = sampler(policy, batch=2)(requests())
    assert [one.ids for one in together] == [one.ids for one in alone]
    assert [one.ids for one in together] == [one.ids for one in chunked]


def test_the_same_noise_gives_the_same_ids_and_other_noise_gives_others(policy):
    first, again = sampler(policy)(requests()), sampler(policy)(requests())
    other = sampler(policy)(
        [Request(ids, 12, np.random.default_rng((8, i))) for i, ids in enumerate(PROMPTS)]
    )
    assert first == again
    assert [one.ids for one in first] != [one.ids for one in other]


def test_an_answer_ends_with_the_end_token_or_at_its_budget(policy):
    end = policy[1].eos_token_id
    many = [Request(PROMPTS[i % 4], 20, np.random.default_rng((3, i))) for i in range(64)]
    answers = sampler(policy)(many)
    assert all(one.ids[-1] == end or len(one.ids) == 20 for one in answers)
    assert all(end not in one.ids[:-1] for one in answers)
    assert any(one.ids[-1] == end for one in answers)


def test_temperature_zero_takes_the_likeliest_token(policy):
    answer = sampler(policy, temperature=0.0)([requests()[1]])[0]
    ids = list(PROMPTS[1])
    for token in answer.ids:
        with torch.no_grad():
            assert policy[0](input_ids=torch.tensor([ids])).logits[0, -1].argmax().item() == token
        ids.append(token)


def test_tokens_are_drawn_with_their_probabilities(policy):
    many = [Request(PROMPTS[0], 1, np.random.default_rng((5, i))) for i in range(4000)]
    drawn = np.bincount(
        [one.ids[0] for one in sampler(policy, batch=4000)(many)], minlength=len(policy[1])
    )
    with torch.no_grad():
        logits = policy[0](input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1]
    expected = logits.softmax(-1).numpy()
    top = expected.argsort()[-5:]
    assert drawn[top] / 4000 == pytest.approx(expected[top], abs=0.03)
