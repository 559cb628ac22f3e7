"""How well two yes/no verdicts agree: accuracy, Cohen's kappa, and its bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

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

    As many cases as there are, drawn so, fill the four cells as a multinomial draw does: the cost
    is that of RESAMPLES tables, however many cases there are. (NaN, NaN) where kappa itself is not
    defined, or there is but one case to draw. Needs numpy: raises ModuleNotFoundError.
    """
    import numpy as np

    total = sum(cells)
    if math.isnan(kappa(cells)) or total < 2:
        return math.nan, math.nan
    shares = np.array(cells) / total
    drawn = np.random.default_rng(SEED).multinomial(total, shares, RESAMPLES)
    values = [value for table in drawn.tolist() if not math.isnan(value := kappa(table))]
    edge = (1 - CONFIDENCE) / 2  # a resample of one kind of case alone says nothing
    low, high = np.quantile(values, [edge, 1 - edge])
    return float(low), float(high)


def interval_by_group(tables: Sequence[Sequence[int]]) -> tuple[float, float]:
    """The percentile bootstrap interval of the kappa of all tables together, drawn table by table.

    For cases that come in groups, such as the items of one dialogue, a table each: what is alike
    within a group is not counted as so many cases. (NaN, NaN) as in `interval`, and where there are
    fewer than two tables. Needs numpy: raises ModuleNotFoundError.
    """
    import numpy as np

    whole = [sum(table[cell] for table in tables) for cell in range(4)]
    count = len(tables)
    if math.isnan(kappa(whole)) or count < 2:
        return math.nan, math.nan
    cells = np.array(tables, dtype=np.int64)
    generator = np.random.default_rng(SEED)
    shares = np.full(count, 1 / count)
    drawn = [generator.multinomial(count, shares) @ cells for _ in range(RESAMPLES)]
    values = [value for table in drawn if not math.isnan(value := kappa(table.tolist()))]
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [edge, 1 - edge])
    return float(low), float(high)
