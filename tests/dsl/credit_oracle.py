"""Credit once more: the equations written down as they stand, step by step, in exact fractions.

It shares no code with `cm2dsl.reward.credit`, and takes dependencies as (scope, item) pairs, so
that it need not look up names either. Slow on purpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

Pair = tuple[int, str]  # scope and item; the scope after the last turn is the dialogue


@dataclass(frozen=True)
class OracleItem:
    id: str
    weight: int
    after: tuple[Pair, ...]
    veto: bool
    penalty: Fraction


@dataclass(frozen=True)
class OracleRollout:
    turns: list[list[dict[str, bool | None]]]
    dialogue: list[dict[str, bool | None]]


@dataclass(frozen=True)
class Oracle:
    """One group. `scopes` has the items of each turn, and last those of the dialogue, if any."""

    turns: int
    scopes: list[list[OracleItem]]
    rollouts: list[OracleRollout]

    # --- one rollout: everything at the steps of the whole dialogue ---------------------------

    def verdicts(self, i: int, scope: int) -> dict[int, dict[str, bool | None]]:
        """Dialogue step -> verdicts, on the steps of the scope."""
        rollout = self.rollouts[i]
        if scope == self.turns:
            return dict(enumerate(rollout.dialogue))
        if scope >= len(rollout.turns):
            return {}
        start = sum(len(turn) for turn in rollout.turns[:scope])
        return {start + s: step for s, step in enumerate(rollout.turns[scope])}

    def reached(self, i: int, scope: int) -> bool:
        return scope == self.turns or scope < len(self.rollouts[i].turns)

    def error(self, i: int, scope: int) -> bool:
        return any(v is None for step in self.verdicts(i, scope).values() for v in step.values())

    def any_error(self, i: int) -> bool:
        return any(self.error(i, scope) for scope in range(len(self.scopes)))

    def states(self, i: int) -> list[set[Pair]]:
        """Sat(x_s) for every step s of the dialogue, and after the last."""
        states: list[set[Pair]] = [set()]
        for s in range(sum(len(turn) for turn in self.rollouts[i].turns)):
            now = {
                (scope, item.id)
                for scope, items in enumerate(self.scopes)
                for item in items
                if self.r(i, s, scope, item, states[s])
            }
            states.append(states[s] | now)
        return states

    def r(self, i: int, s: int, scope: int, item: OracleItem, state: set[Pair]) -> bool:
        step = self.verdicts(i, scope).get(s)
        ready = all(pair in state for pair in item.after)
        return step is not None and ready and (scope, item.id) not in state and bool(step[item.id])

    def turn_reward(self, i: int, scope: int) -> Fraction:
        items = self.scopes[scope]
        states = self.states(i)
        total = sum(item.weight for item in items)
        steps = self.verdicts(i, scope)
        worth = Fraction(0)
        for s in steps:
            for item in items:
                if self.r(i, s, scope, item, states[s]):
                    worth += Fraction(item.weight, total)
        for item in items:
            if not any(step[item.id] for step in steps.values()):
                worth -= item.penalty
        if any(i.veto and not any(step[i.id] for step in steps.values()) for i in items):
            worth = Fraction(0)
        return max(worth, Fraction(0))

    # --- the group ----------------------------------------------------------------------------

    def turn_rewards(self, i: int, unreached: str) -> list[Fraction | None]:
        return [
            (Fraction(0) if unreached == "zero" else None)
            if not self.reached(i, scope)
            else None
            if self.error(i, scope)
            else self.turn_reward(i, scope)
            for scope in range(len(self.scopes))
        ]

    def reward(self, i: int, unreached: str, at: list[int]) -> Fraction | None:
        counted = [x for t in at if (x := self.turn_rewards(i, unreached)[t]) is not None]
        if self.any_error(i) or not counted:
            return None
        return sum(counted, Fraction(0)) / len(counted)

    def group(self) -> list[int]:
        return [i for i in range(len(self.rollouts)) if not self.any_error(i)]

    def advantages(
        self, i: int, level: str, scale: str, unreached: str, baseline: str, at: list[int]
    ) -> list[list[float]]:
        turns = self.rollouts[i].turns
        result = [[0.0] * len(turn) for turn in turns]
        if self.any_error(i):
            return result
        start = 0
        for t, turn in enumerate(turns):
            for s in range(len(turn)):
                if level == "trajectory":
                    result[t][s] = self.trajectory(i, scale, unreached, at)
                    continue
                for scope in at:
                    if scope not in (t, self.turns):
                        continue
                    if level == "turn":
                        result[t][s] += self.turn(i, scope, scale, baseline)
                    else:
                        result[t][s] += self.step(i, start + s, scope, scale)
            start += len(turn)
        return result

    def trajectory(self, i: int, scale: str, unreached: str, at: list[int]) -> float:
        rewards = {j: self.reward(j, unreached, at) for j in self.group()}
        counted = [reward for reward in rewards.values() if reward is not None]
        own = rewards[i]
        return 0.0 if own is None else _centre(own, counted, scale)

    def turn(self, i: int, scope: int, scale: str, baseline: str) -> float:
        counted = [
            self.turn_reward(j, scope) if self.reached(j, scope) else Fraction(0)
            for j in self.group()
            if baseline == "all" or self.reached(j, scope)
        ]
        return _centre(self.turn_reward(i, scope), counted, scale)

    def step(self, i: int, s: int, scope: int, scale: str) -> float:
        states = self.states(i)
        numerator, denominator = 0.0, 0
        for item in self.scopes[scope]:
            ready = all(pair in states[s] for pair in item.after)
            if not ready or (scope, item.id) in states[s]:
                continue
            backfilled = any(
                self.r(i, u, scope, item, states[u]) for u in range(s, len(states) - 1)
            )
            flipped = [Fraction((scope, item.id) in self.states(j)[-1]) for j in self.group()]
            numerator += item.weight * _centre(Fraction(backfilled), flipped, scale)
            denominator += item.weight
        return numerator / denominator if denominator else 0.0


def _centre(value: Fraction, group: list[Fraction], scale: str) -> float:
    mean = sum(group, Fraction(0)) / len(group)
    if scale == "none":
        return float(value - mean)
    variance = sum(((x - mean) ** 2 for x in group), Fraction(0)) / len(group)
    return float(value - mean) / math.sqrt(variance) if variance else 0.0
