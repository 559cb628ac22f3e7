"""What one step of GRPO learns from: rows are drawn, played in groups, and credited.

A group whose rollouts all earned the same has no advantages: it costs as much as any other, and
teaches nothing. Up to `rows.resample` further groups are played in its place, of other rows, and
the first ones that teach something take the places of those that do not (dynamic sampling: DAPO,
arXiv 2503.14476, section 3.2). What fails the same way may be the judge's or a tool's doing, too: a
group with too few rollouts that count is replaced alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pvariance

from cm2.rollout.stage import Played
from cm2.train.config import Config
from cm2.train.credit import group_credit
from cm2.train.rows import RowSampler
from cm2dsl.reward.credit import RolloutCredit

PlayRows = Callable[[Sequence[str], int], list[Played]]
"""The rollouts of rows, in their order, which are numbered from the second argument on. A row is
given once for each of its rollouts."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rollouts of one row, and what each of them earned."""

    row: str
    played: Sequence[Played]
    credit: Sequence[RolloutCredit]

    @property
    def rewards(self) -> list[float]:
        """Of the rollouts that count."""
        return [
            one.scored.reward
            for one in self.played
            if not one.masked and one.scored.reward is not None
        ]

    @property
    def reward(self) -> float | None:
        """Their mean, None where no rollout counts."""
        return fmean(self.rewards) if self.rewards else None

    @property
    def spread(self) -> float | None:
        """The population variance of the rewards; None where fewer than two rollouts count."""
        return pvariance(self.rewards) if len(self.rewards) > 1 else None

    @property
    def teaches(self) -> bool:
        """Whether any step of any rollout has an advantage."""
        return any(value != 0.0 for one in self.credit for turn in one.advantages for value in turn)


@dataclass(frozen=True, slots=True)
class Step:
    """The groups that are learned from, as many as `groups`, and those that were played besides."""

    groups: Sequence[Group]
    left_out: Sequence[Group]

    @property
    def played(self) -> list[Played]:
        """The rollouts that are learned from."""
        return [one for group in self.groups for one in group.played]

    @property
    def credit(self) -> list[RolloutCredit]:
        """Theirs."""
        return [one for group in self.groups for one in group.credit]

    @property
    def all_played(self) -> list[Played]:
        """Those that were played besides, too."""
        return [one for group in (*self.groups, *self.left_out) for one in group.played]


def play_step(step: int, config: Config, rows: RowSampler, play: PlayRows) -> Step:
    """Play step `step`, from 1, and tell `rows` what came of it."""
    played = 0

    def groups_of(some: Sequence[str]) -> list[Group]:
        nonlocal played
        size = config.group
        found = play([row for row in some for _ in range(size)], played)
        played += len(found)
        parts = [found[start : start + size] for start in range(0, len(found), size)]
        return [
            Group(row, part, group_credit(part, config.credit))
            for row, part in zip(some, parts, strict=True)
        ]

    groups = groups_of(rows.rows(step, config.groups))
    left_out: list[Group] = []
    left = config.rows.resample
    for attempt in range(left):
        idle = [place for place, group in enumerate(groups) if not group.teaches]
        tried = [group.row for group in (*groups, *left_out)]
        more = rows.more(step, attempt, min(left, len(idle)), besides=tried)
        if not more:
            break
        left -= len(more)
        for group in groups_of(more):
            if group.teaches:
                place = idle.pop(0)
                groups[place], group = group, groups[place]
            left_out.append(group)
    for group in (*groups, *left_out):
        rows.saw(group.row, group.spread)
    return Step(groups, left_out)
