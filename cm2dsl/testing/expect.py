"""What a test expects, against what came."""

from __future__ import annotations

import operator
from collections.abc import Callable

from cm2dsl import ir
from cm2dsl.reward.card import Outcome, Scored
from cm2dsl.reward.decide import Settled
from cm2dsl.reward.verdict import Verdict
from cm2dsl.testing.play import Played
from cm2dsl.testing.subject import Task

Expectation = ir.ItemExpectation | ir.RewardExpectation

NEAR = 1e-9
"""Rewards that are less apart are equal: sums of weights are off by less, people's numbers more."""

ORDERS: dict[ir.Order, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(wanted: Expectation, scored: Scored) -> bool:
    """Whether the dialogue is as expected. Where there is no reward, nothing holds of it."""
    if isinstance(wanted, ir.ItemExpectation):
        return verdict_of(scored.outcomes[wanted.item]) == wanted.verdict
    if scored.reward is None:
        return False
    reward = wanted.value if abs(scored.reward - wanted.value) < NEAR else scored.reward
    return ORDERS[wanted.op](reward, wanted.value)


def verdict_of(outcome: Outcome) -> Verdict:
    if isinstance(outcome, Settled):
        return Verdict.PASS if outcome.holds else Verdict.FAIL
    return outcome.verdict


def needed(wanted: Expectation, played: Played, task: Task) -> list[str]:
    """The undecided items that what is expected depends on.

    A reward depends on all of them; an item on itself, and on the strict items of earlier turns.
    """
    if isinstance(wanted, ir.RewardExpectation):
        return list(played.undecided)
    scope = wanted.item.partition(".")[0]
    names = [turn.name for turn in task.task.turns]
    earlier = names[: names.index(scope)] if scope in names else names
    return [
        name
        for name in played.undecided
        if name == wanted.item
        or (task.items[name].item.strict and name.partition(".")[0] in earlier)
    ]


def message(wanted: Expectation, scored: Scored) -> str:
    """What is not as expected."""
    if isinstance(wanted, ir.ItemExpectation):
        verdict = verdict_of(scored.outcomes[wanted.item])
        return f"`{wanted.item}` should be {wanted.verdict}, and is {verdict}"
    if scored.reward is None:
        return f"the reward should be {wanted.op} {wanted.value:g}, and there is none"
    found = number(scored.reward)
    if float(found) == wanted.value:
        found = repr(scored.reward)
    return f"the reward should be {wanted.op} {wanted.value:g}, and is {found}"


def number(reward: float) -> str:
    """A reward for people, with four decimals at most."""
    return f"{reward:.4f}".rstrip("0").rstrip(".")
