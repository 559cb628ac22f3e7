"""One dialogue and its judge: what is asked, when, and what need not be.

Checks decide first. An item that they leave open is asked about as soon as what it comes after is
decided, and not at all if that leaves it no step to be satisfied at: its verdict could change no
reward then. A turn is opened when the gate before it is decided; nothing else waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.judge.view import Question
from cm2.trajectory import Trajectory
from cm2dsl.reward.card import Card, Scored
from cm2dsl.reward.plan import Plan, PlannedItem
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.scope import facts_of

UNREADY = "after"
"""Who decided an item that was not asked about: what it comes after, which is not satisfied."""


class Judging:
    """A dialogue while a judge decides what checks leave open."""

    def __init__(self, bundle: Bundle, plan: Plan, trajectory: Trajectory, judge: Judge) -> None:
        self._bundle = bundle
        self._trajectory = trajectory
        self._judge = judge
        self._card = Card(plan, facts_of(trajectory))
        self._open: dict[str, asyncio.Task[None]] = {}

    async def scored(self) -> Scored:
        """The dialogue's score. What is still asked for when this is cancelled is withdrawn."""
        plan = self._card.plan
        try:
            for number in range(len(plan.turns)):
                await self._gate(number)
                self._ask(number, self._card.open_turn(number))
            self._ask(None, self._card.open_dialogue())
            await asyncio.gather(*self._open.values())
        finally:
            for task in self._open.values():
                task.cancel()
        return self._card.total()

    async def _gate(self, number: int) -> None:
        """Wait for what decides whether the dialogue reaches a turn."""
        strict = [
            self._open[one.name]
            for one in (self._card.plan.turns[number - 1] if number else ())
            if one.item.strict and one.name in self._open
        ]
        await asyncio.gather(*strict)

    def _ask(self, turn: int | None, items: Sequence[PlannedItem]) -> None:
        for one in items:
            self._open[one.name] = asyncio.ensure_future(self._decide(turn, one))

    async def _decide(self, turn: int | None, one: PlannedItem) -> None:
        """Put the item's verdict on the card. Items come in the order of `after`: no circle."""
        before = [self._open[name] for name in one.item.after if name in self._open]
        await asyncio.gather(*before)
        unready = self._unready(one)
        decision = unready or await self._judge.decide(self._question(turn, one))
        self._card.decided(one.name, decision)

    def _unready(self, one: PlannedItem) -> Decision | None:
        """The decision on an item that no verdict could satisfy any more.

        What a veto, a penalty or a gate hangs on is decided whatever it comes after.
        """
        worth, item = self._card.plan.worth, one.item
        if worth is None or not item.after or item.strict or item.veto or item.penalty:
            return None
        outcomes = self._card.outcomes
        missing = worth.missing(one.name, outcomes, self._card.facts.lengths[: self._card.reached])
        if missing is None:
            return None
        outcome = outcomes[missing]
        if isinstance(outcome, Decision) and outcome.verdict is Verdict.ERROR:
            return Decision(Verdict.ERROR, UNREADY, reason=f"`{missing}` is an error")
        return Decision(
            Verdict.FAIL, UNREADY, reason=f"not asked: `{missing}` is not satisfied in time"
        )

    def _question(self, turn: int | None, one: PlannedItem) -> Question:
        """What the judge is asked about an item; it sees the turns that were reached."""
        whole, instance = self._trajectory, self._card.plan.instance
        reached = whole.turns[: self._card.reached]
        seen = Trajectory(whole.id, whole.task, reached, whole.system, whole.opening)
        dated = instance.task.assign.level == "step"
        return Question(self._bundle.spec, instance.task, instance.row, turn, one.item, seen, dated)
