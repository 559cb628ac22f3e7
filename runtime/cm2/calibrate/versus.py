"""Two judges on the same dialogues: where they agree, and what that means for rewards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cm2.calibrate.figures import Figures, Pair, figures
from cm2.calibrate.rows import Key, Row, Rows


@dataclass(frozen=True, slots=True)
class Apart:
    """A dialogue and what each judge makes of it."""

    key: Key
    rewards: tuple[float, float]
    differ: Sequence[tuple[str, str, str]]
    """(item, first's verdict, second's) where they are not the same."""


@dataclass(frozen=True, slots=True)
class Versus:
    """The comparison of A and B.

    `whole` and `items` are of items that a judge decided on either side. `both` dialogues have a
    reward from each; `means`, `mean_difference` (of |A - B|) and `ranks` (Spearman's correlation)
    are of those, and `apart` has them all, the greatest difference first. Where a side rates whole
    dialogues, its ratings are ranked in place of its rewards: `rated` says of which. `missing`
    dialogues only one side has; `unrewarded` of the others have no reward on one side at least.
    """

    whole: Figures
    items: Mapping[str, Figures]
    both: int
    missing: int
    unrewarded: int
    means: tuple[float, float]
    mean_difference: float
    ranks: float
    rated: tuple[bool, bool]
    apart: Sequence[Apart]


def versus(first: Rows, second: Rows) -> Versus:
    """How two judges compare. Needs numpy and scipy."""
    shared = [key for key in first if key in second]
    pairs: dict[str, list[Pair]] = {}
    for key in shared:
        one, other = first[key], second[key]
        for name in one.verdicts:
            if name in other.verdicts and _by_judge(name, one, other):
                pair = (key, _yes(one.verdicts[name]), _yes(other.verdicts[name]))
                pairs.setdefault(name, []).append(pair)
    apart = [found for key in shared if (found := _apart(key, first[key], second[key])) is not None]
    a, b = [one.rewards[0] for one in apart], [one.rewards[1] for one in apart]
    return Versus(
        whole=figures(pair for each in pairs.values() for pair in each),
        items={name: figures(each) for name, each in pairs.items()},
        both=len(apart),
        missing=len(first.keys() ^ second.keys()),
        unrewarded=len(shared) - len(apart),
        means=(_mean(a), _mean(b)),
        mean_difference=_mean([abs(x - y) for x, y in zip(a, b, strict=True)]),
        ranks=_ranks(_standings(first, apart, 0), _standings(second, apart, 1)),
        rated=(_rates(first, apart), _rates(second, apart)),
        apart=sorted(apart, key=lambda one: -abs(one.rewards[0] - one.rewards[1])),
    )


def _by_judge(name: str, first: Row, second: Row) -> bool:
    """Whether a judge decided the item on a side, or may have."""
    known = [row.judged for row in (first, second) if row.judged is not None]
    return not known or any(name in judged for judged in known)


def _yes(verdict: str) -> bool | None:
    return None if verdict == "error" else verdict == "pass"


def _apart(key: Key, one: Row, other: Row) -> Apart | None:
    if one.reward is None or other.reward is None:
        return None
    names = [name for name in one.verdicts if name in other.verdicts]
    differ = [
        (name, one.verdicts[name], other.verdicts[name])
        for name in names
        if one.verdicts[name] != other.verdicts[name]
    ]
    return Apart(key, (one.reward, other.reward), differ)


def _rates(rows: Rows, apart: Sequence[Apart]) -> bool:
    return bool(apart) and all(rows[one.key].rating is not None for one in apart)


def _standings(rows: Rows, apart: Sequence[Apart], side: int) -> list[float]:
    """What dialogues are ranked by: their ratings, or else their rewards."""
    if _rates(rows, apart):
        return [rating for one in apart if (rating := rows[one.key].rating) is not None]
    return [one.rewards[side] for one in apart]


def _ranks(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation; NaN for fewer than three, and where one side is constant."""
    from scipy.stats import spearmanr

    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return math.nan
    return float(spearmanr(first, second).statistic)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
