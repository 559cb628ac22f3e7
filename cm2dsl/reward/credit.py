"""Credit: from verdicts to rewards and advantages (CM2, arXiv 2602.12268, made exact).

With r(s) of satisfaction.py, w_c the weights of a turn divided by their sum, and G the rollouts of
the group that have no error:

    R_t = sum over s and c of w_c r(s,c)          R = (1/L) sum of R_t,  L = the assigned turns
    trajectory   A = (R - mean_G R) / F           on every step
    turn         A_t = (R_t - mean_G R_t) / F     on turn t's steps
    step         A_s = sum of w_c (rb(s,c) - b_c) / F_c  over  sum of w_c,  both for c in E(s)

    rb(s)  = ready(s) and not Sat(x_s) and r(u) for some u >= s     (backfilled: step level only)
    b_c    = share of G in which c ever flipped
    E(s)   = items that are ready and not yet satisfied;  A_s = 0 where their weights are 0
    F      = 1, or the population standard deviation over G of what is centred

Everything here is a pure function of verdicts. Sums are rounded once (`math.fsum`) and no order
that means nothing is read, so any order of rollouts, items or keys gives the very same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.checklist import (
    Checklist,
    CreditError,
    CreditItem,
    CreditTask,
    CreditTurn,
    Key,
    resolve,
)
from cm2dsl.reward.satisfaction import NEVER, Scored, Step, Track, Unreached, Verdicts, score, track

__all__ = [
    "DIALOGUE",
    "Baseline",
    "CreditError",
    "CreditItem",
    "CreditTask",
    "CreditTurn",
    "Level",
    "RolloutCredit",
    "Scale",
    "Step",
    "Unreached",
    "Verdicts",
    "assign",
    "flips",
    "rewards",
]

Level = Literal["trajectory", "turn", "step"]
Scale = Literal["none", "std"]
Baseline = Literal["all", "reached"]

# Rewards lie in [0, 1]: a smaller spread is the rounding of equal rewards, and dividing by it would
# turn that rounding into advantages of size 1.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class RolloutCredit:
    """What one rollout earned.

    `reward` is None for a rollout with an error, and for one of which no assigned turn counts.
    `turn_rewards` has one entry a turn of the task, then one for the task scope where it has items;
    an entry is None for an error, and for an unreached turn under `unreached mask`. `advantages`
    has one number a step of each reached turn.
    """

    reward: float | None
    turn_rewards: list[float | None]
    advantages: list[list[float]]


def assign(
    task: CreditTask,
    rollouts: Sequence[Verdicts],
    *,
    level: Level,
    scale: Scale = "none",
    unreached: Unreached = "zero",
    baseline: Baseline | None = None,
    at: Collection[str] | None = None,
) -> list[RolloutCredit]:
    """The credit of every rollout of one group, in the order given.

    `at` names the turns that carry reward (`dialogue` is the task scope); None is all. `baseline`
    matters at turn level: whether a rollout that never reached a turn counts there as 0 (`all`, the
    default under `unreached zero`) or not at all (`reached`, the default under `unreached mask`).

    A rollout with an error is out of every mean and spread, and its advantages are 0; so the others
    get what they would get without it. Raises CreditError where task, `at` and verdicts do not fit
    together.
    """
    checklist = resolve(task)
    scopes = checklist.select(at)
    scored = [
        score(checklist, rollout, unreached, scopes, f"rollouts[{i}].")
        for i, rollout in enumerate(rollouts)
    ]
    group = [rollout for rollout in scored if not rollout.error]
    if level == "trajectory":
        advantages = _trajectory_level(checklist, group, scale)
    elif level == "turn":
        counted = baseline or ("all" if unreached == "zero" else "reached")
        advantages = _turn_level(group, scopes, scale, counted)
    else:
        advantages = _step_level(checklist, group, scopes, scale)
    return [
        RolloutCredit(
            rollout.reward,
            rollout.turn_rewards,
            _on_steps(checklist, rollout, {} if rollout.error else advantages(rollout)),
        )
        for rollout in scored
    ]


def rewards(
    task: CreditTask,
    rollout: Verdicts,
    *,
    unreached: Unreached = "zero",
    at: Collection[str] | None = None,
) -> tuple[float | None, list[float | None]]:
    """(reward, turn_rewards) of one rollout, as `assign` gives them. Raises CreditError."""
    checklist = resolve(task)
    scored = score(checklist, rollout, unreached, checklist.select(at), "")
    return scored.reward, scored.turn_rewards


def flips(task: CreditTask, rollout: Verdicts) -> list[dict[str, int | None]]:
    """For each turn of the task, then for the task scope where it has items: item -> its step.

    The step counts from 0 within the turn (within the dialogue for the task scope). None is an item
    that never flips, as in a turn that was not reached. An error counts as not true: mask the
    rollout before using these. Raises CreditError.
    """
    checklist = resolve(task)
    return [
        {
            item: flip - own.start if (flip := own.windows[item][1]) < NEVER else None
            for item in scope
        }
        for scope, own in zip(checklist.scopes, track(checklist, rollout, ""), strict=True)
    ]


# --- the group --------------------------------------------------------------------------------

_Advantages = Callable[[Scored], Mapping[int, Sequence[float]]]
"""For a rollout without an error: scope -> one number a step of it."""


def _trajectory_level(checklist: Checklist, group: Sequence[Scored], scale: Scale) -> _Advantages:
    """A = (R - mean R) / F, the same on every step of every turn."""
    centred = _centred([rollout.reward for rollout in group if rollout.reward is not None], scale)

    def advantages(rollout: Scored) -> dict[int, list[float]]:
        if rollout.reward is None:
            return {}
        value = centred(rollout.reward)
        if not checklist.turns:
            return {0: [value] * sum(rollout.lengths)}
        turns = rollout.tracks[: checklist.turns]
        return {t: [value] * len(track.steps) for t, track in enumerate(turns)}

    return advantages


def _turn_level(
    group: Sequence[Scored], scopes: Collection[int], scale: Scale, baseline: Baseline
) -> _Advantages:
    """A_t = (R_t - mean R_t) / F, the same on every step of scope t."""
    centred: dict[int, _Centred] = {}
    for t in scopes:
        counted = [r for r in group if baseline == "all" or r.tracks[t].reached]
        centred[t] = _centred([rollout.turn_rewards[t] or 0.0 for rollout in counted], scale)

    def advantages(rollout: Scored) -> dict[int, list[float]]:
        return {
            t: [centred[t](rollout.turn_rewards[t] or 0.0)] * len(rollout.tracks[t].steps)
            for t in scopes
        }

    return advantages


def _step_level(
    checklist: Checklist, group: Sequence[Scored], scopes: Collection[int], scale: Scale
) -> _Advantages:
    """A_s = sum over E(s) of w_c (rb(s,c) - b_c) / F_c, divided by the sum over E(s) of w_c.

    E(s) are the items that are ready and not yet satisfied; b_c is the share of the group in which
    c ever flipped, and F_c the spread of that 0 or 1.
    """
    centred: dict[Key, _Centred] = {
        (t, item): _centred([float(rollout.tracks[t].flipped(item)) for rollout in group], scale)
        for t in scopes
        for item in checklist.scopes[t]
    }

    def on_scope(t: int, track: Track) -> list[float]:
        terms: list[list[float]] = [[] for _ in range(len(track.steps))]
        weights: list[list[float]] = [[] for _ in range(len(track.steps))]
        for name, item in checklist.scopes[t].items():
            ready, flip = track.windows[name]
            term = item.weight * centred[t, name](float(flip < NEVER))
            for s in range(ready - track.start, min(flip - track.start + 1, len(track.steps))):
                terms[s].append(term)
                weights[s].append(item.weight)
        return [
            math.fsum(terms[s]) / total if (total := math.fsum(weights[s])) else 0.0
            for s in range(len(track.steps))
        ]

    return lambda rollout: {t: on_scope(t, rollout.tracks[t]) for t in scopes}


_Centred = Callable[[float], float]


def _centred(values: Sequence[float], scale: Scale) -> _Centred:
    """For x one of the values: (x - mean) / F, and 0 where F is 0 or the values are equal."""
    if not values or min(values) == max(values):
        return lambda value: 0.0
    mean = math.fsum(values) / len(values)
    if scale == "none":
        return lambda value: value - mean
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return lambda value: (value - mean) / spread if spread > _ROUNDING else 0.0


def _on_steps(
    checklist: Checklist, rollout: Scored, advantages: Mapping[int, Sequence[float]]
) -> list[list[float]]:
    """One number a step of each reached turn: the turn's own, plus the task scope's."""
    whole = advantages.get(checklist.turns) or [0.0] * sum(rollout.lengths)
    starts = accumulate(rollout.lengths, initial=0)
    found: list[list[float]] = []
    for t, (start, length) in enumerate(zip(starts, rollout.lengths, strict=False)):
        own = advantages.get(t) if t < checklist.turns else None
        shared = whole[start : start + length]
        found.append(
            [mine + all_ for mine, all_ in zip(own or [0.0] * length, shared, strict=True)]
        )
    return found
