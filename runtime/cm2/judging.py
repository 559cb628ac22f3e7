"""One dialogue and its judge: what is asked, when, and what need not be.

Checks decide first. What they leave open of a turn is asked about as soon as the turn has ended,
while the dialogue goes on; only an item that a gate hangs on holds it up. An item that comes after
others is asked about when those are decided, and not at all if that leaves it no step to be
satisfied at: its verdict could change no reward then.

What is shown for an item does not depend on how fast the judge is: an item of a turn is shown what
was said up to the end of it. Under `view dialogue` it is shown all turns that were reached, and so
has to wait for the dialogue's end, unless a gate hangs on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from msgspec.structs import replace

from cm2.bundle import Bundle
from cm2.judge.digest import digest
from cm2.judge.judge import Judge
from cm2.judge.view import Question
from cm2.trajectory import Trajectory
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.card import Card, Scored, gate_open
from cm2dsl.reward.plan import Plan, PlannedItem
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.scope import facts_of

UNREADY = "after"
"""Who decided an item that was not asked about: what it comes after, which is not satisfied."""

WITHDRAWN = Decision(Verdict.ERROR, "masked", reason="not asked: the rollout is masked")
"""What is said of an item of a dialogue whose verdicts count for nothing any more."""


class Judging:
    """A dialogue while a judge decides what checks leave open.

    A dialogue that is over is `scored` at once. Of one that goes on, tell `ended` whenever a turn
    but the last has ended, and let `gate` decide whether the next begins.
    """

    def __init__(
        self, bundle: Bundle, plan: Plan, judge: Judge, group: asyncio.TaskGroup, *, masks: bool
    ) -> None:
        """The judge is asked in tasks of `group`, which an EngineError ends.

        With `masks`, the first error that leaves the dialogue without a reward withdraws whatever
        else is asked of it: as in training, where such a rollout is left out.
        """
        self._bundle = bundle
        self._judge = judge
        self._group = group
        self._masks = masks
        self._card = Card(plan, facts_of(Trajectory("", "", ())))
        self._trajectory = Trajectory("", "", ())
        self._open: dict[str, asyncio.Task[None]] = {}
        self._later: list[tuple[int, PlannedItem]] = []
        self._ended = 0
        self._credited = _credited(plan)
        every = (one for items in (*plan.turns, plan.dialogue) for one in items)
        self._after = {one.name: one.item.after for one in every}
        self.withdrawn = False

    @property
    def gateless(self) -> bool:
        """Whether the task has no turns of its own, as its user is simulated: nothing is decided
        before the dialogue is over."""
        return not self._card.plan.instance.task.turns

    def ended(self, trajectory: Trajectory) -> None:
        """The dialogue's last turn so far has ended, and the gates before it were open."""
        self._see(trajectory)
        self._open_turns(len(trajectory.turns))

    async def gate(self) -> Decision | bool:
        """Whether the dialogue goes on after the last turn that ended.

        A decision is an error on which that hangs: nothing can be said.
        """
        number = self._ended - 1
        await _done(self._strict(number))
        turn = self._card.plan.instance.task.turns[number]
        names = [f"{turn.name}.{item.name}" for item in turn.items if item.strict]
        for outcome in (self._card.outcomes.get(name) for name in names):
            if isinstance(outcome, Decision) and outcome.verdict is Verdict.ERROR:
                return outcome
        return gate_open(turn, self._card.outcomes)

    def withdraw(self) -> None:
        """Ask nothing more: something broke, and the dialogue has no reward."""
        self.withdrawn = True
        for task in self._open.values():
            task.cancel()

    async def scored(self, trajectory: Trajectory) -> Scored:
        """The score of the dialogue, which is over. A dialogue is scored once."""
        self._see(trajectory)
        plan = self._card.plan
        while self._ended < len(plan.turns):
            await _done(self._strict(self._ended - 1))
            self._open_turns(self._ended + 1)
        for turn, one in self._later:
            self._ask(turn, one)
        for one in self._card.open_dialogue():
            self._ask(None, one)
        await _done(self._open.values())
        if self.withdrawn:
            for name in self._after:
                if name not in self._card.outcomes:
                    self._card.decided(name, WITHDRAWN)
        # Answers come in any order; what is written of them is the same in every run.
        outcomes = self._card.outcomes
        self._card.outcomes = {name: outcomes[name] for name in self._after if name in outcomes}
        return self._card.total()

    def _see(self, trajectory: Trajectory) -> None:
        self._trajectory = trajectory
        self._card.see(facts_of(trajectory))

    def _open_turns(self, count: int) -> None:
        """Ask about what checks leave open of the turns up to a number."""
        waits = shows_whole(self._bundle, self._judge)
        for number in range(self._ended, count):
            self._ended = number + 1
            for one in self._card.open_turn(number):
                if waits and not one.item.strict:
                    self._later.append((number, one))
                else:
                    self._ask(number, one)

    def _strict(self, number: int) -> list[asyncio.Task[None]]:
        """The questions on which the gate behind a turn hangs."""
        turns = self._card.plan.turns
        items = turns[number] if 0 <= number < len(turns) else ()
        return [self._open[one.name] for one in items if one.item.strict and one.name in self._open]

    def _ask(self, turn: int | None, one: PlannedItem) -> None:
        if not self.withdrawn:
            self._open[one.name] = self._group.create_task(self._decide(turn, one))

    async def _decide(self, turn: int | None, one: PlannedItem) -> None:
        """Put the item's verdict on the card. Items come in the order of `after`: no circle."""
        unready = None
        if not _decides_more(one):
            await _done([self._open[name] for name in self._before(one) if name in self._open])
            unready = self._unready(one)
        decision = unready or await self._decided(self._question(turn, one))
        self._card.decided(one.name, decision)
        if self._masks and decision.verdict is Verdict.ERROR and one.name in self._credited:
            self.withdraw()

    async def _decided(self, question: Question) -> Decision:
        """What the judge says, and of what: so that it can be said again of nothing else."""
        decision = await self._judge.decide(question)
        return replace(decision, question=digest(question))

    def _before(self, one: PlannedItem) -> set[str]:
        """The items that it comes after, and those that these come after."""
        found: set[str] = set()
        waiting = list(one.item.after)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._after.get(name, ())
        return found

    def _unready(self, one: PlannedItem) -> Decision | None:
        """The decision on an item that no verdict could satisfy any more."""
        worth, item = self._card.plan.worth, one.item
        if worth is None or not item.after or one.name not in self._credited:
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
        card = self._card
        whole = shows_whole(self._bundle, self._judge)
        return question(self._bundle, card.plan, self._trajectory, turn, one, card.reached, whole)


def question(
    bundle: Bundle,
    plan: Plan,
    trajectory: Trajectory,
    turn: int | None,
    one: PlannedItem,
    reached: int,
    whole: bool,
) -> Question:
    """What a judge is asked about an item of a dialogue that came to so many turns.

    It is shown all of them where it is to see the `whole` dialogue, or the item is of task scope.
    """
    own = turn is None or (whole and not one.item.strict)
    turns = trajectory.turns[: reached if own or turn is None else turn + 1]
    seen = Trajectory(trajectory.id, trajectory.task, turns, trajectory.system, trajectory.opening)
    task, row = plan.instance.task, plan.instance.row
    return Question(bundle.spec, task, row, turn, one.item, seen, task.assign.level == "step")


def shows_whole(bundle: Bundle, judge: Judge) -> bool:
    """Whether an item of a turn is shown the turns after it, too."""
    return bundle.spec.judge.view == "dialogue" or judge.whole_dialogues


def _credited(plan: Plan) -> frozenset[str]:
    """The full names of the items that the reward is made of."""
    scopes = [*((turn.name, turn.items) for turn in plan.task.turns), (DIALOGUE, plan.task.items)]
    return frozenset(f"{scope}.{item.id}" for scope, items in scopes for item in items)


def _decides_more(one: PlannedItem) -> bool:
    """Whether a gate, a veto or a penalty hangs on the item, whatever it comes after."""
    return bool(one.item.strict or one.item.veto or one.item.penalty)


async def _done(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for tasks, however they end: their exceptions are for the group that they are in."""
    if tasks:
        await asyncio.wait(tasks)
