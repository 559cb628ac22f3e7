"""When the items of one rollout are ready and when they flip, and what its turns are worth for it.

With v(s) the verdict after step s, and nothing satisfied at first:

    ready(s)     = every item in `after` has Sat(x_s) = 1
    r(s)         = ready(s) and not Sat(x_s) and v(s)         an item flips once
    Sat(x_{s+1}) = Sat(x_s) or r(s)

x_s is the state *before* step s: what flips at step s makes its dependents ready at s + 1, and no
sooner. Between turns the same rule holds on the steps of the whole dialogue, counted from 0. An
item flips once, so two numbers say it all: the step from which it is ready, and that at which it
flips.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence, Set
from itertools import accumulate
from typing import Literal

from msgspec import Struct

from cm2dsl.diagnostic import suggest
from cm2dsl.reward.checklist import Checklist, CreditError, CreditItem, Key

Unreached = Literal["zero", "mask"]
Step = Mapping[str, bool | None]

NEVER = 1 << 62
"""The step at which an item flips that does not."""


class Held(Struct, frozen=True):
    """The verdicts of one scope whose items, once they hold, go on holding.

    `since` has for every item the step, from 0 in the scope, after which it holds; None is never.
    `errors` are the items whose verdict is an error.
    """

    steps: int
    since: Mapping[str, int | None]
    errors: Set[str] = frozenset()

    def __len__(self) -> int:
        return self.steps


Timeline = Sequence[Step] | Held
"""The verdicts on a scope's items: after each step, or for each item since when it holds."""


class Verdicts(Struct, frozen=True):
    """The verdicts of one rollout: True, False, or None for an error.

    `turns` has, for each turn that was reached, for each of its steps, every item of the turn.
    `dialogue` has, for each step of the whole dialogue, every task-scope item; it is empty where
    the task has none. A task without turns of its own (the user is simulated) has as many as the
    dialogue had, without items.
    """

    turns: Sequence[Timeline]
    dialogue: Timeline = ()


class Track(Struct, frozen=True):
    """A scope's steps in one rollout; the first one is step `start` of the dialogue.

    `windows` has (ready, flip) for each item: the steps of the dialogue from which it is ready, and
    at which it flips.
    """

    reached: bool
    start: int
    steps: Timeline
    windows: dict[str, tuple[int, int]]

    def flipped(self, item: str) -> bool:
        return self.windows[item][1] < NEVER

    @property
    def error(self) -> bool:
        """Whether a verdict on one of its items is an error."""
        if isinstance(self.steps, Held):
            return bool(self.steps.errors) and len(self.steps) > 0
        return any(None in step.values() for step in self.steps)

    def first(self, item: str, ready: int) -> int:
        """The first step of the dialogue, not before `ready`, after which the item holds."""
        if isinstance(self.steps, Held):
            since = self.steps.since[item]
            found = NEVER if since is None else max(ready, self.start + since)
            return found if found < self.start + len(self.steps) else NEVER
        held = (s for s in range(ready, self.start + len(self.steps)) if self._at(s)[item])
        return next(held, NEVER)

    def _at(self, step: int) -> Step:
        assert not isinstance(self.steps, Held)
        return self.steps[step - self.start]


class Scored(Struct, frozen=True):
    """A rollout's tracks and their worth; `reward` and `turn_rewards` as in RolloutCredit.

    `lengths` are the steps of each turn that was reached.
    """

    tracks: list[Track]
    lengths: list[int]
    error: bool
    reward: float | None
    turn_rewards: list[float | None]


def track(checklist: Checklist, rollout: Verdicts, where: str) -> list[Track]:
    """Each scope's steps, with the windows of its items: the recurrence, solved item by item.

    `where` begins the place in messages. Raises CreditError where the verdicts do not fit the task.
    """
    turns = checklist.turns
    _check_shape(checklist, rollout, where)
    starts = [*accumulate((len(turn) for turn in rollout.turns), initial=0)]
    tracks = [Track(True, starts[t], turn, {}) for t, turn in enumerate(rollout.turns[:turns])]
    tracks += [Track(False, starts[-1], (), {}) for _ in range(turns - len(rollout.turns))]
    if len(checklist.scopes) > turns:
        tracks.append(Track(True, 0, rollout.dialogue, {}))
    flips: dict[Key, int] = {}
    for key, waits in checklist.order:
        scope, item = key
        own = tracks[scope]
        ready = own.start
        for other in waits:
            ready = max(ready, flips[other] + 1)
        flips[key] = own.first(item, ready)
        own.windows[item] = (ready, flips[key])
    return tracks


def _check_shape(checklist: Checklist, rollout: Verdicts, where: str) -> None:
    if len(rollout.turns) > checklist.turns > 0:
        message = f"{where}turns: {len(rollout.turns)} turns, but the task has {checklist.turns}"
        raise CreditError(message, "a rollout has at most one entry a turn of the task")
    for t, turn in enumerate(rollout.turns):
        items = checklist.scopes[t].keys() if checklist.turns else set()
        _check_steps(turn, items, f"{where}turns[{t}]")
    scope = checklist.scopes[-1] if len(checklist.scopes) > checklist.turns else {}
    count = sum(len(turn) for turn in rollout.turns)
    if len(rollout.dialogue) != count and (scope or rollout.dialogue):
        message = f"{where}dialogue: {len(rollout.dialogue)} steps, but its turns have {count}"
        raise CreditError(message, "give the verdicts on task-scope items after every step")
    _check_steps(rollout.dialogue, scope.keys(), f"{where}dialogue")


def _check_steps(steps: Timeline, items: Set[str], where: str) -> None:
    for s, step in enumerate([steps.since] if isinstance(steps, Held) else steps):
        if step.keys() == items:
            continue
        for item in sorted(items - step.keys()):
            help = "give true, false, or null for an error"
            raise CreditError(f"{where}[{s}]: no verdict on item `{item}`", help)
        for item in sorted(step.keys() - items):
            raise CreditError(f"{where}[{s}]: there is no item `{item}`", suggest(item, items))


def score(
    checklist: Checklist,
    rollout: Verdicts,
    unreached: Unreached,
    scopes: Collection[int],
    where: str,
) -> Scored:
    """The worth of one rollout; `scopes` are those that carry reward. Raises CreditError."""
    tracks = track(checklist, rollout, where)
    errors = [own.error for own in tracks]
    turn_rewards: list[float | None] = []
    for scope, own, error in zip(checklist.scopes, tracks, errors, strict=True):
        if not own.reached:
            turn_rewards.append(0.0 if unreached == "zero" else None)
        else:
            turn_rewards.append(None if error else _turn_reward(scope, own))
    counted = [worth for t in scopes if (worth := turn_rewards[t]) is not None]
    reward = math.fsum(counted) / len(counted) if counted and not any(errors) else None
    lengths = [len(turn) for turn in rollout.turns]
    return Scored(tracks, lengths, any(errors), reward, turn_rewards)


def _turn_reward(scope: Mapping[str, CreditItem], own: Track) -> float:
    """R_t: the share of the weights that flipped, less penalties; 0 where a veto is violated.

    An item is violated when it holds after no step, whatever it waits for. Weights are normalised
    here, by one division, so that all of them together are worth exactly 1.
    """
    if not scope:
        return 0.0
    violated = [
        item
        for item in scope.values()
        if (item.veto or item.penalty) and own.first(item.id, own.start) == NEVER
    ]
    if any(item.veto for item in violated):
        return 0.0
    earned = math.fsum(item.weight for item in scope.values() if own.flipped(item.id))
    worth = earned / math.fsum(item.weight for item in scope.values())
    return max(0.0, worth - math.fsum(item.penalty for item in violated))
