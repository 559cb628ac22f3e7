"""The credit of a group: what its verdicts are worth as advantages."""

from __future__ import annotations

from collections.abc import Sequence

from cm2.rollout.stage import Played
from cm2.train.config import Credit
from cm2dsl.reward.credit import RolloutCredit, assign


def group_credit(group: Sequence[Played], options: Credit) -> list[RolloutCredit]:
    """The credit of the rollouts of one instance, in order.

    None in `options` means what the spec's `assign` says. A masked rollout is left out before
    anything is computed, and gets no credit.
    """
    kept = [one for one in group if not one.masked]
    credits: list[RolloutCredit] = []
    if kept:
        task, said = kept[0].scored.task, kept[0].scored.instance.task.assign
        credits = assign(
            task,
            [one.scored.verdicts for one in kept],
            level=options.level or said.level,
            scale=options.scale or said.scale,
            unreached=options.unreached or said.unreached,
            baseline=options.baseline,
            at=kept[0].scored.at,
        )
    found = iter(credits)
    return [_none(one) if one.masked else next(found) for one in group]


def _none(played: Played) -> RolloutCredit:
    turns = played.rollout.trajectory.turns
    return RolloutCredit(None, [], [[0.0] * len(turn.steps) for turn in turns])
