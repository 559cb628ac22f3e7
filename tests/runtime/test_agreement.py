"""Agreement of two yes/no verdicts, against scikit-learn and scipy's own bootstrap."""

from __future__ import annotations

import math
import random
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, cohen_kappa_score

from cm2.agreement import accuracy, interval, kappa

Cells = list[int]
TABLES: st.SearchStrategy[Cells] = st.lists(st.integers(0, 40), min_size=4, max_size=4)


def verdicts(cells: Cells) -> tuple[list[bool], list[bool]]:
    """The cases of [neither, the first alone, the second alone, both]."""
    pairs = [(False, False), (True, False), (False, True), (True, True)]
    cases = [pair for pair, count in zip(pairs, cells, strict=True) for _ in range(count)]
    return [one for one, _ in cases], [other for _, other in cases]


@settings(deadline=None)
@given(TABLES)
def test_accuracy_is_that_of_scikit_learn(cells: Cells) -> None:
    assume(sum(cells))
    first, second = verdicts(cells)
    assert accuracy(cells) == pytest.approx(accuracy_score(second, first))


@settings(deadline=None)
@given(TABLES)
def test_kappa_is_that_of_scikit_learn(cells: Cells) -> None:
    assume(sum(cells))
    first, second = verdicts(cells)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where kappa is not defined
        theirs = cohen_kappa_score(first, second, labels=[False, True])
    assert kappa(cells) == pytest.approx(theirs, nan_ok=True, abs=1e-12)


@settings(deadline=None)
@given(TABLES)
def test_it_does_not_matter_who_is_first_or_what_is_called_yes(cells: Cells) -> None:
    neither, first, second, both = cells
    for other in ([neither, second, first, both], [both, first, second, neither]):
        assert accuracy(other) == pytest.approx(accuracy(cells), nan_ok=True)
        assert kappa(other) == pytest.approx(kappa(cells), nan_ok=True, abs=1e-12)


def test_without_a_case_nothing_is_defined() -> None:
    assert math.isnan(accuracy([0, 0, 0, 0]))
    assert math.isnan(kappa([0, 0, 0, 0]))
    assert all(map(math.isnan, interval([0, 0, 0, 0])))


@pytest.mark.parametrize("cells", [[5, 0, 0, 0], [0, 0, 0, 5]])
def test_two_who_always_say_the_same_one_thing_have_no_kappa(cells: Cells) -> None:
    assert accuracy(cells) == 1
    assert math.isnan(kappa(cells))
    assert all(map(math.isnan, interval(cells)))


@pytest.mark.parametrize("cells", [[0, 3, 0, 0], [0, 0, 7, 0], [4, 4, 0, 0], [0, 0, 4, 4]])
def test_where_one_always_says_the_same_kappa_is_zero(cells: Cells) -> None:
    assert kappa(cells) == 0
    assert interval(cells) == (0, 0)


def test_full_agreement_and_full_disagreement() -> None:
    assert (kappa([3, 0, 0, 4]), interval([3, 0, 0, 4])) == (1, (1, 1))
    assert kappa([0, 4, 4, 0]) == -1


def test_one_case_has_no_interval() -> None:
    assert kappa([0, 1, 0, 0]) == 0
    assert all(map(math.isnan, interval([0, 1, 0, 0])))


def test_the_same_table_always_has_the_same_interval() -> None:
    random.seed(1)
    first = interval([30, 5, 8, 20])
    random.seed(2)
    np.random.seed(2)
    assert interval([30, 5, 8, 20]) == first


@settings(deadline=None)
@given(TABLES)
def test_the_interval_lies_where_kappa_can(cells: Cells) -> None:
    low, high = interval(cells)
    defined = not math.isnan(kappa(cells)) and sum(cells) > 1
    assert defined == (not math.isnan(low)) == (not math.isnan(high))
    if defined:
        assert -1 - 1e-9 <= low <= high <= 1 + 1e-9


@settings(deadline=None)
@given(st.lists(st.integers(5, 200), min_size=4, max_size=4))
def test_the_interval_of_a_table_with_some_of_each_holds_kappa(cells: Cells) -> None:
    low, high = interval(cells)
    assert low < kappa(cells) < high


@pytest.mark.parametrize("cells", [[40, 10, 5, 45], [300, 20, 60, 120], [6, 2, 1, 9]])
def test_the_interval_is_that_of_the_bootstrap_of_the_cases(cells: Cells) -> None:
    first, second = map(np.array, verdicts(cells))

    def statistic(ours: np.ndarray, theirs: np.ndarray) -> float:
        counts = np.bincount(ours + 2 * theirs, minlength=4)
        return kappa(counts.tolist())

    found = bootstrap(
        (first, second),
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    assert interval(cells) == pytest.approx((found.low, found.high), abs=0.05)


def test_nineteen_of_twenty_intervals_hold_the_true_kappa() -> None:
    shares = [0.4, 0.1, 0.05, 0.45]
    truth = kappa([40, 10, 5, 45])
    tables = np.random.default_rng(3).multinomial(150, shares, 200).tolist()
    inside = sum(low <= truth <= high for low, high in map(interval, tables))
    assert 180 <= inside <= 198


def test_a_large_table_takes_no_more_memory_than_a_small_one() -> None:
    interval([3, 1, 1, 3])  # what is imported is no part of it
    tracemalloc.start()
    low, high = interval([400_000_000, 50_000_000, 50_000_000, 500_000_000])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert high - low < 1e-3
    assert peak < 2_000_000
