"""Which rows a step plays: in turn, or rather those whose groups have something to teach.

A group in which every rollout earns the same has no advantages: the row is too easy for the policy,
or too hard, or it is luck. `difficulty` draws rows by how far the rewards of their groups lay
apart, which for a reward of 0 or 1 is p(1 - p) with p the success rate, and largest where the
policy succeeds half the time. What a step draws follows from the seed, the step and the groups of
earlier steps, and from nothing else: every process of a run draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

WIDEST = 0.25
"""The largest variance of numbers between 0 and 1. A row that was not played yet counts as this
wide: each is looked at before any is left aside."""

FLOOR = 0.01
"""What is added to every row's spread, so that none is left aside for good: the policy changes."""

FRESH = 0.5
"""The share of the newest group in a row's spread, which is a moving average."""

_ROWS = 1  # what is drawn: these, or those that take places
_MORE = 2


class RowSampler:
    """Draws the rows of each step. `rows` are ids, in the order of the spec."""

    def __init__(
        self, rows: Sequence[str], draw: Literal["uniform", "difficulty"], seed: int
    ) -> None:
        self._rows = list(rows)
        self._draw = draw
        self._seed = seed
        self._spread = dict.fromkeys(rows, WIDEST)

    def saw(self, row: str, spread: float | None) -> None:
        """A group of the row was played: the population variance of its rewards, None where too few
        of its rollouts count."""
        if spread is not None and row in self._spread:
            self._spread[row] += FRESH * (spread - self._spread[row])

    def state(self) -> dict[str, float]:
        """What was learned of the rows."""
        return dict(self._spread)

    def restore(self, state: dict[str, float]) -> None:
        """Go on from what `state` gave."""
        self._spread = dict(state)

    def rows(self, step: int, count: int) -> list[str]:
        """The different rows that step `step`, from 1, plays. There are at least `count`."""
        if self._draw == "difficulty":
            return self._weighted(self._noise(_ROWS, step), self._rows, count)
        steps = len(self._rows) // count  # in which every row has its turn, but for a remainder
        passed, place = divmod(step - 1, steps)
        order = self._noise(_ROWS, passed).permutation(len(self._rows))
        return [self._rows[i] for i in order[place * count :][:count]]

    def more(self, step: int, attempt: int, count: int, besides: Sequence[str]) -> list[str]:
        """At most `count` rows to play in place of others, none of `besides`. `attempt` counts the
        calls of a step."""
        left = [row for row in self._rows if row not in set(besides)]
        noise = self._noise(_MORE, step, attempt)
        count = min(count, len(left))
        if count == 0:
            return []
        if self._draw == "difficulty":
            return self._weighted(noise, left, count)
        return [left[i] for i in noise.permutation(len(left))[:count]]

    def _weighted(self, noise: np.random.Generator, rows: Sequence[str], count: int) -> list[str]:
        weights = np.array([self._spread[row] + FLOOR for row in rows])
        chosen = noise.choice(len(rows), count, replace=False, p=weights / weights.sum())
        return [rows[i] for i in chosen]

    def _noise(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *key])
