"""The reward of one rollout whose items, once they hold, go on holding: satisfaction.py, compiled.

A check settles an item once and for all, so a rollout is a number an item: the step since when it
holds. What can be known of a task beforehand (the order in which items wait for each other, the
sums of weights) is worked out once, in `Worth`. The result is that of `satisfaction.score`, to the
last bit; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Protocol

from msgspec import Struct

from cm2dsl.reward.checklist import Checklist
from cm2dsl.reward.satisfaction import NEVER, Unreached


class Holding(Protocol):
    """What became of an item: the step of its scope from which it holds; None is never."""

    @property
    def step(self) -> int | None: ...


_Item = tuple[int, str, tuple[int, ...], float, bool, float]
"""(scope, full name, places in this order of what it waits for, weight, veto, penalty)."""


class Worth(Struct, frozen=True):
    """A checklist ready to be evaluated, its items in the order of `after`.

    `scopes` are those that carry reward, `totals` the sums of their weights.
    """

    turns: int
    items: tuple[_Item, ...]
    totals: tuple[float, ...]
    scopes: tuple[int, ...]
    unreached: Unreached

    def __call__(
        self, outcomes: Mapping[str, Holding], lengths: Sequence[int]
    ) -> tuple[float | None, list[float | None]]:
        """(reward, turn_rewards) of a rollout without an error, as in `RolloutCredit`.

        `outcomes` has every item by full name (`turn.item`). `lengths` are the steps of each turn
        that was reached.
        """
        reached = len(lengths)
        starts = [0, *accumulate(lengths)]
        count = len(self.totals)
        earned: list[list[float]] = [[] for _ in range(count)]
        lost: list[float] = [0.0] * count
        flips: list[int] = []
        for scope, name, waits, weight, veto, penalty in self.items:
            whole = scope == self.turns
            if not whole and scope >= reached:
                flips.append(NEVER)
                continue
            held = outcomes[name].step
            if held is None:
                flips.append(NEVER)
                if veto:
                    lost[scope] = math.inf
                elif penalty:
                    lost[scope] += penalty
                continue
            flip = held if whole else starts[scope] + held
            for other in waits:
                if flips[other] >= flip:
                    flip = flips[other] + 1
            if flip < (starts[-1] if whole else starts[scope + 1]):
                flips.append(flip)
                earned[scope].append(weight)
            else:
                flips.append(NEVER)
        turn_rewards = [self._turn(t, reached, earned[t], lost[t]) for t in range(count)]
        counted = [worth for t in self.scopes if (worth := turn_rewards[t]) is not None]
        return (math.fsum(counted) / len(counted) if counted else None), turn_rewards

    def missing(
        self, name: str, outcomes: Mapping[str, Holding], lengths: Sequence[int]
    ) -> str | None:
        """What leaves an item no step to be satisfied at: an item that it comes after, by name.

        None where the item may still be satisfied. `outcomes` has all that it comes after, and all
        that those come after.
        """
        starts = [0, *accumulate(lengths)]
        place = {item[1]: number for number, item in enumerate(self.items)}

        def end(scope: int) -> int:
            return starts[-1] if scope == self.turns else starts[min(scope + 1, len(lengths))]

        def flip(number: int) -> int:
            scope, other, waits, *_ = self.items[number]
            held = outcomes[other].step
            if held is None:
                return NEVER
            step = max(
                held if scope == self.turns else starts[scope] + held,
                *(flip(before) + 1 for before in waits),
                0,
            )
            return step if step < end(scope) else NEVER

        scope, _, waits, *_ = self.items[place[name]]
        late = (self.items[other][1] for other in waits if flip(other) + 1 >= end(scope))
        return next(late, None)

    def _turn(self, t: int, reached: int, earned: list[float], lost: float) -> float | None:
        if t < self.turns and t >= reached:
            return 0.0 if self.unreached == "zero" else None
        total = self.totals[t]
        if not total or lost == math.inf:
            return 0.0
        return max(0.0, math.fsum(earned) / total - lost)


def compiled(checklist: Checklist, scopes: Sequence[int], unreached: Unreached) -> Worth:
    """The worth of a checklist's rollouts."""
    place = {key: number for number, (key, _) in enumerate(checklist.order)}
    items = []
    for (scope, name), waits in checklist.order:
        item = checklist.scopes[scope][name]
        items.append(
            (
                scope,
                f"{checklist.names[scope]}.{name}",
                tuple(place[other] for other in waits),
                item.weight,
                item.veto,
                item.penalty,
            )
        )
    totals = tuple(math.fsum(i.weight for i in scope.values()) for scope in checklist.scopes)
    return Worth(checklist.turns, tuple(items), totals, tuple(scopes), unreached)
