"""The study's figures: reward against steps, and what collapses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed, nor looked for

import numpy as np
from arms import LEVELS, Level
from curves import Curve
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measures import Interval, interval, series, smoothed
from tables import Runs, cells

COLOURS: Mapping[Level, str] = {"trajectory": "#0072b2", "turn": "#e69f00", "step": "#cc3311"}
"""Told apart by the colour-blind too (Okabe and Ito's, and Tol's red)."""

MEASURES = {
    "drop": "end minus peak of the true reward",
    "after": "true reward on held-out rows",
    "well_formed": "well-formed share at the end",
    "entropy": "entropy at the end (nats a token)",
}


def draw_curves(curves: Sequence[Curve], path: Path) -> None:
    """True reward against steps: a row a group size, a column a noise."""
    groups = sorted({curve.arm.group for curve in curves})
    noises = sorted({curve.arm.noise for curve in curves})
    figure, axes = plt.subplots(
        len(groups),
        len(noises),
        figsize=(3.2 * len(noises) + 0.6, 2.7 * len(groups) + 0.7),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for row, group in enumerate(groups):
        for column, noise in enumerate(noises):
            ax = axes[row, column]
            for level in LEVELS:
                some = [
                    curve
                    for curve in curves
                    if (curve.arm.group, curve.arm.noise, curve.arm.level) == (group, noise, level)
                ]
                if some:
                    _draw_level(ax, some, level)
            ax.set_title(f"noise {noise:g}, groups of {group}", fontsize=9)
            ax.grid(alpha=0.25)
            ax.set_ylim(0, 1)
    for ax in axes[-1]:
        ax.set_xlabel("step")
    for ax in axes[:, 0]:
        ax.set_ylabel("true reward")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(LEVELS), frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    _save(figure, path)


def _draw_level(ax: Axes, curves: Sequence[Curve], level: Level) -> None:
    """Each seed as a thin line; their mean, with its 95% t interval where there are several."""
    smooth = [smoothed(series(curve, "truth")) for curve in curves]
    first = len(curves[0].points) - len(smooth[0])
    steps = [curves[0].points[at].step for at in range(first, len(curves[0].points))]
    colour = COLOURS[level]
    for one in smooth:
        ax.plot(steps, one, color=colour, linewidth=0.6, alpha=0.35)
    found = [interval(list(values)) for values in zip(*smooth, strict=True)]
    ax.plot(steps, [one.mean for one in found], color=colour, linewidth=1.8, label=level)
    if len(curves) > 1:
        low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
        ax.fill_between(
            steps, low.clip(0, 1), high.clip(0, 1), color=colour, alpha=0.12, linewidth=0
        )


def draw_measures(runs: Runs, path: Path) -> None:
    """What collapses, against noise: a row a group size, a column a measure."""
    found = cells(runs)
    groups = sorted({group for group, _, _ in found})
    figure, axes = plt.subplots(
        len(groups),
        len(MEASURES),
        figsize=(3.2 * len(MEASURES) + 0.6, 2.7 * len(groups) + 0.7),
        sharex=True,
        sharey="col",
        squeeze=False,
    )
    for row, group in enumerate(groups):
        for column, (name, title) in enumerate(MEASURES.items()):
            ax = axes[row, column]
            for place, level in enumerate(LEVELS):
                points = {
                    noise: measures[name]
                    for (one, noise, other), measures in found.items()
                    if (one, other) == (group, level)
                }
                _draw_points(ax, points, level, shift=(place - 1) * 0.004)
            ax.set_title(f"{title}\ngroups of {group}", fontsize=9)
            ax.grid(alpha=0.25)
    for ax in axes[-1]:
        ax.set_xlabel("noise of the judge")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(LEVELS), frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    _save(figure, path)


def _draw_points(ax: Axes, points: Mapping[float, Interval], level: Level, *, shift: float) -> None:
    if not points:
        return
    noises = np.array(list(points))
    means = np.array([one.mean for one in points.values()])
    below = np.array([0.0 if one.low is None else one.mean - one.low for one in points.values()])
    ax.errorbar(
        noises + shift, means, yerr=below, color=COLOURS[level], marker="o", markersize=4,
        linewidth=1, capsize=2, label=level,
    )  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    """Whole or not at all, and without the time: the same data gives the same bytes."""
    beside = path.with_name(f".{path.name}.partial")
    figure.savefig(beside, dpi=110, format="png", metadata={"Software": None})
    plt.close(figure)
    beside.replace(path)
