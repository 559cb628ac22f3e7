"""Facts about choosing a token: which distribution, and when rounding could change the choice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cm2.rollout.sampling import BAND, Sampling, choose

LOGITS = torch.tensor([[1.0, 3.0, 2.0, 0.0, -1.0]])


def drawn(logits: torch.Tensor, number: float, band: float = 0.0, **options: float):
    chosen = choose(logits, torch.tensor([number], dtype=torch.float64), Sampling(**options), band)
    return chosen.token.item(), chosen.logprob.item(), chosen.unsure.item()


def spread(logits: torch.Tensor, size: int = 20_000, **options: float) -> np.ndarray:
    """The shares of the tokens at evenly spread draws."""
    numbers = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    chosen = choose(logits.expand(size, -1), numbers, Sampling(**options), 0.0)
    return np.bincount(chosen.token.numpy(), minlength=logits.shape[1]) / size


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"temperature": 0.5}, [0, 1, 2, 3, 4]),
        ({"top_k": 2}, [1, 2]),
        ({"top_k": 99}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.6}, [1]),
        ({"top_p": 0.85}, [1, 2]),
        ({"min_p": 0.1}, [0, 1, 2]),
        ({"min_p": 1.0}, [1]),
        ({"top_k": 4, "min_p": 0.04, "top_p": 0.9}, [0, 1, 2]),
    ],
)
def test_tokens_come_with_the_probabilities_of_what_is_kept(options, kept):
    expected = np.zeros(5)
    weights = (LOGITS[0] / options.get("temperature", 1.0)).softmax(-1).numpy()[kept]
    expected[kept] = weights / weights.sum()
    assert spread(LOGITS, **options) == pytest.approx(expected, abs=1e-4)
    for number in (0.0, 0.3, 0.7, 1 - 2**-53):
        token, logprob, _ = drawn(LOGITS, number, **options)
        assert token in kept
        assert logprob == pytest.approx(np.log(expected[token]), abs=1e-5)


def test_temperature_zero_takes_the_likeliest_with_the_models_own_log_probability():
    token, logprob, unsure = drawn(LOGITS, 0.99, temperature=0.0)
    assert (token, unsure) == (1, False)
    assert logprob == pytest.approx(LOGITS.log_softmax(-1)[0, 1].item())
    assert drawn(torch.tensor([[1.0, 1.0 + 1e-6]]), 0.0, BAND, temperature=0.0)[2]


@pytest.mark.parametrize(
    "options", [{"temperature": -1}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}, {"min_p": 2}]
)
def test_a_number_out_of_range_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Sampling(**options)


OPTIONS = st.sampled_from(
    [
        {},
        {"temperature": 0.0},
        {"temperature": 0.3},
        {"top_k": 5},
        {"top_p": 0.8},
        {"min_p": 0.05},
        {"temperature": 1.5, "top_p": 0.95, "top_k": 40},
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(2, 60),
    width=st.sampled_from([0.0, 0.01, 1.0, 5.0, 20.0]),
    options=OPTIONS,
)
def test_a_choice_that_is_sure_survives_every_error_of_the_logits_below_the_band(
    seed, size, width, options
):
    """The bound of the module's first lines, tried with errors as large as it allows."""
    noise = np.random.default_rng(seed)
    band, rows = 1e-3, 200
    logits = torch.tensor(noise.normal(0, width, size), dtype=torch.float32).expand(rows, -1)
    error = torch.tensor(noise.choice([-1.0, 1.0], (rows, size)) * band * 0.45)
    draws = torch.tensor(noise.random(rows))
    sampling = Sampling(**options)
    one = choose(logits, draws, sampling, band)
    other = choose((logits.double() + error).float(), draws, sampling, band)
    sure = ~one.unsure
    assert torch.equal(one.token[sure], other.token[sure])


def test_few_choices_are_unsure_where_the_model_is():
    peaked = torch.randn(1, 512, generator=torch.Generator().manual_seed(0)) * 4
    numbers = torch.rand(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chosen = choose(peaked.expand(20_000, -1), numbers, Sampling(), BAND)
    assert chosen.unsure.double().mean() < 0.002
