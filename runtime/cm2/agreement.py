"""How well two yes/no verdicts agree: accuracy, Cohen's kappa, and its bootstrap interval."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

RESAMPLES = 1999
CONFIDENCE = 0.95
SEED = 20260212
"""The same table always has the same interval."""


def accuracy(cells: Sequence[int]) -> float:
    """The share of cases in which both said the same; NaN without a case.

    `cells` count [neither, the first alone, the second alone, both] who said yes.
    """
    total = sum(cells)
    return (cells[0] + cells[3]) / total if total else math.nan


def kappa(cells: Sequence[int]) -> float:
    """Cohen's kappa of a 2x2 table: (p_o - p_e) / (1 - p_e), Cohen 1960.

    p_o is the accuracy, p_e the accuracy that two who say yes as often, but of each other
    independently, would reach. NaN where both always say the same one thing: p_e is 1 then.
    """
    total = sum(cells)
    if not total:
        return math.nan
    first, second = (cells[1] + cells[3]) / total, (cells[2] + cells[3]) / total
    chance = first * second + (1 - first) * (1 - second)
    return (accuracy(cells) - chance) / (1 - chance) if chance < 1 else math.nan


def interval(cells: Sequence[int]) -> tuple[float, float]:
    """The percentile bootstrap interval of kappa at CONFIDENCE, cases drawn with replacement.

    (NaN, NaN) where kappa itself is not defined, or there is but one case to draw. Needs scipy:
    raises ModuleNotFoundError.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if math.isnan(kappa(cells)) or sum(cells) < 2:
        return math.nan, math.nan
    first = np.repeat(np.array([False, True, False, True]), list(cells))
    second = np.repeat(np.array([False, False, True, True]), list(cells))

    def statistic(ours: Any, theirs: Any, axis: int) -> Any:
        agree = (ours == theirs).mean(axis=axis)
        p, q = ours.mean(axis=axis), theirs.mean(axis=axis)
        chance = p * q + (1 - p) * (1 - q)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(chance < 1, (agree - chance) / (1 - chance), np.nan)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a table whose kappa is 1 in every resample
        found = bootstrap(
            (first, second),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=max(1, 2_000_000 // len(first)),
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(SEED),
        )
    values = found.bootstrap_distribution
    values = values[~np.isnan(values)]  # a resample of one kind of case alone says nothing
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [edge, 1 - edge])
    return float(low), float(high)
