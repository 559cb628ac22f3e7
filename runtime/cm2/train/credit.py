"""The credit of a group: what its verdicts are worth as advantages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from cm2.bundle import Bundle
from cm2.rollout.stage import Played
from cm2.train.config import Credit
from cm2.train.folder import RunError
from cm2dsl import ir
from cm2dsl.diagnostic import suggest
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.credit import RolloutCredit, assign


def assigned(bundle: Bundle, options: Credit) -> Bundle:
    """The bundle as if its tasks' `assign` said what the options say.

    So all that hangs on it follows: which turns carry reward, and whether a judge is asked at which
    step an item is satisfied. Raises RunError for a turn in `at` that no task has.
    """
    if options.at is not None:
        known = {turn.name for task in bundle.spec.tasks for turn in task.turns} | {DIALOGUE}
        for name in options.at:
            if name not in known:
                raise RunError(
                    f"no task of `{bundle.spec.domain}` has a turn `{name}` that could carry "
                    f"reward; {suggest(name, known)}"
                )
    said = {
        name: getattr(options, name)
        for name in ("level", "scale", "unreached", "at")
        if getattr(options, name) is not None
    }
    if not said:
        return bundle
    tasks = tuple(_assigned(task, said) for task in bundle.spec.tasks)
    return replace(bundle, spec=msgspec.structs.replace(bundle.spec, tasks=tasks), _plans={})


def _assigned(task: ir.Task, said: dict[str, object]) -> ir.Task:
    changed = msgspec.structs.replace(task.assign, **said)
    return msgspec.structs.replace(task, assign=changed)


def group_credit(group: Sequence[Played], options: Credit) -> list[RolloutCredit]:
    """The credit of the rollouts of one instance, in order.

    The spec's `assign` says how, as `assigned` has left it. A masked rollout is left out before
    anything is computed, and gets no credit. Nobody in a group has an advantage of which fewer than
    `min_group` are not masked.
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
    if len(kept) < options.min_group:
        credits = [_without_advantages(one) for one in credits]
    found = iter(credits)
    return [_none(one) if one.masked else next(found) for one in group]


def _without_advantages(credit: RolloutCredit) -> RolloutCredit:
    return replace(credit, advantages=[[0.0] * len(turn) for turn in credit.advantages])


def _none(played: Played) -> RolloutCredit:
    turns = played.rollout.trajectory.turns
    return RolloutCredit(None, [], [[0.0] * len(turn.steps) for turn in turns])
