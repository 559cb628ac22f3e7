"""Numbers of a curve, and what several seeds say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from curves import Curve
from numpy.typing import NDArray
from scipy.stats import t as student

WINDOW = 5
"""Steps that a point is averaged over before a peak is looked for: one step's mean reward is off by
about 0.04, and the highest of many such would be too high."""

LEAD = 1 / 3
"""The first share of a run: what `early` averages, to say how fast a reward rises."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """One run: true rewards, on training rows but for `after`.

    `early` is the mean over the first third of the steps. `peak` is the highest of the smoothed
    curve, `peak_step` where, `end` its last, and `drop` the end minus the peak, which is 0 or less.
    `after` is on held-out rows. `entropy` and `well_formed` are means over the last `WINDOW` steps,
    `worst_formed` the lowest of the smoothed share.
    """

    early: float
    peak: float
    peak_step: float
    end: float
    drop: float
    after: float
    entropy: float
    well_formed: float
    worst_formed: float


def measured(curve: Curve) -> Measures:
    truth = series(curve, "truth")
    smooth = smoothed(truth)
    peak = int(smooth.argmax())
    formed = smoothed(series(curve, "well_formed"))
    return Measures(
        early=float(truth[: max(1, round(len(truth) * LEAD))].mean()),
        peak=float(smooth[peak]),
        peak_step=float(curve.points[min(peak + window(truth) // 2, len(truth) - 1)].step),
        end=float(smooth[-1]),
        drop=float(smooth[-1] - smooth[peak]),
        after=curve.after,
        entropy=float(smoothed(series(curve, "entropy"))[-1]),
        well_formed=float(formed[-1]),
        worst_formed=float(formed.min()),
    )


def series(curve: Curve, name: str) -> Numbers:
    """One number a step (T,)."""
    return np.array([getattr(point, name) for point in curve.points], dtype=np.float64)


def window(values: Numbers) -> int:
    return min(WINDOW, len(values))


def smoothed(values: Numbers) -> Numbers:
    """Means over every `WINDOW` steps in a row: (T,) to (T - WINDOW + 1,)."""
    width = window(values)
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds with its 95% t interval; the ends are None of one seed alone."""

    mean: float
    low: float | None
    high: float | None
    seeds: int

    @property
    def sign(self) -> int:
        """1 where the interval is above 0, -1 below; 0 where it holds 0, or there is none."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return 0
        return 1 if self.low > 0 else -1


def interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean of `values`, one a seed. Raises ValueError without any."""
    if not values:
        raise ValueError("an interval of nothing")
    count, middle = len(values), float(np.mean(values))
    if count == 1:
        return Interval(middle, None, None, 1)
    half = float(student.ppf(0.975, count - 1)) * float(np.std(values, ddof=1)) / sqrt(count)
    return Interval(middle, middle - half, middle + half, count)
