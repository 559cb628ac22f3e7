"""One dialogue while it is scored: turn by turn, with the gates between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward import satisfaction
from cm2dsl.reward.checklist import CreditItem, CreditTask
from cm2dsl.reward.decide import Settled, settle
from cm2dsl.reward.instance import Instance
from cm2dsl.reward.plan import Plan, PlannedItem
from cm2dsl.reward.satisfaction import Held, Verdicts
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.scope import Facts, Scope

GATE = "gate"
MISSED = Decision(Verdict.FAIL, GATE, reason="the turn was not reached")

Outcome = Settled | Decision
"""What became of an item: a check settled it, or somebody else decided."""


class Scored(Struct, eq=False):
    """A scored dialogue.

    `outcomes` has every item that was decided, by full name (`turn.item`); the items of turns
    that were not reached are failed by the gate. `plan.unjudged` are the items left out for want
    of a judge: they are not in `task`, `verdicts` and the rewards. `lengths` are the steps of the
    turns that were reached. `reward` is None where a verdict is an error, and where no turn that
    carries reward counts.
    """

    plan: Plan
    outcomes: Mapping[str, Outcome]
    lengths: list[int]
    reward: float | None
    turn_rewards: list[float | None]

    @property
    def instance(self) -> Instance:
        return self.plan.instance

    @property
    def task(self) -> CreditTask:
        return self.plan.task

    @property
    def at(self) -> tuple[str, ...]:
        return self.plan.at

    @property
    def unjudged(self) -> tuple[str, ...]:
        return self.plan.unjudged

    @property
    def error(self) -> bool:
        """Whether there is no reward because a verdict is an error."""
        return self.reward is None and any(map(_is_error, self.outcomes.values()))

    @property
    def decisions(self) -> dict[str, Decision]:
        """Every item's verdict with its evidence, by full name."""
        return {
            name: outcome.decision if isinstance(outcome, Settled) else outcome
            for name, outcome in self.outcomes.items()
        }

    @property
    def verdicts(self) -> Verdicts:
        """What credit makes advantages of."""
        task = self.plan.task
        if task.turns:
            pairs = zip(task.turns, self.lengths, strict=False)
            turns = [self._held(turn.name, turn.items, count) for turn, count in pairs]
        else:
            turns = [Held(count, {}) for count in self.lengths]
        whole = self._held(DIALOGUE, task.items, sum(self.lengths)) if task.items else ()
        return Verdicts(turns, whole)

    def _held(self, scope: str, items: Sequence[CreditItem], steps: int) -> Held:
        outcomes = {item.id: self.outcomes[f"{scope}.{item.id}"] for item in items}
        since = {name: outcome.step for name, outcome in outcomes.items()}
        return Held(steps, since, {name for name in outcomes if _is_error(outcomes[name])})


def _is_error(outcome: Outcome) -> bool:
    return isinstance(outcome, Decision) and outcome.verdict is Verdict.ERROR


class Card:
    """A dialogue's outcomes so far.

    Open the turns in order with `open_turn`, then the task scope with `open_dialogue`; put what
    they leave to a judge into `outcomes` by `decided`, before the next turn; then take the `total`.
    `reached` is the number of turns that the gates let the dialogue come to.
    """

    __slots__ = ("errors", "facts", "outcomes", "plan", "reached", "turns")

    def __init__(self, plan: Plan, facts: Facts) -> None:
        self.plan = plan
        self.outcomes: dict[str, Outcome] = {}
        self.errors = False
        self.reached = 0
        self.see(facts)

    def see(self, facts: Facts) -> None:
        """The same dialogue, which has gone on since."""
        self.facts = facts
        self.turns = len(facts.marks) - 1
        # With a simulated user the task has no turns of its own, and the dialogue all it took.
        if self.plan.instance.task.simulated is not None:
            self.reached = self.turns

    def open_turn(self, number: int) -> Sequence[PlannedItem]:
        """Decide what checks can in this turn, and return what is left to the judge."""
        if number >= len(self.plan.turns):
            return ()
        items = self.plan.turns[number]
        gated = number > 0 and not (
            self.reached == number
            and gate_open(self.plan.instance.task.turns[number - 1], self.outcomes)
        )
        if gated or number >= self.turns:
            self.outcomes |= dict.fromkeys([one.name for one in items], MISSED)
            return ()
        self.reached = number + 1
        return self._open(items, Scope(self.facts, turn=number)) if items else ()

    def open_dialogue(self) -> Sequence[PlannedItem]:
        """The same for the task scope, whose dialogue is the turns that were reached."""
        if not self.plan.dialogue:
            return ()
        return self._open(self.plan.dialogue, Scope(self.facts, turns=self.reached))

    def _open(self, items: Sequence[PlannedItem], scope: Scope) -> list[PlannedItem]:
        row = self.plan.instance.row
        waiting: list[PlannedItem] = []
        for one in items:
            settled = None
            if one.check is not None:
                settled = settle(one.item.kind, one.check, scope, row)
            if settled is None:
                waiting.append(one)
            else:
                self.outcomes[one.name] = settled
        return waiting

    def decided(self, name: str, decision: Decision) -> None:
        """What a judge said of the item with a full name."""
        self.outcomes[name] = decision
        self.errors = self.errors or decision.verdict is Verdict.ERROR

    def total(self) -> Scored:
        """What the dialogue is worth."""
        plan = self.plan
        lengths = self.facts.lengths[: self.reached]
        if plan.worth is not None and not self.errors:
            return Scored(plan, self.outcomes, lengths, *plan.worth(self.outcomes, lengths))
        nothing: list[float | None] = [None] * len(plan.turns)
        scored = Scored(plan, self.outcomes, lengths, None, nothing)
        if plan.checklist is not None:
            unreached = plan.instance.task.assign.unreached
            found = satisfaction.score(plan.checklist, scored.verdicts, unreached, plan.scopes, "")
            scored.reward, scored.turn_rewards = found.reward, found.turn_rewards
        return scored


def score_facts(plan: Plan, facts: Facts) -> Scored:
    """Score the facts of one dialogue with checks alone."""
    card = Card(plan, facts)
    for number in range(len(plan.turns)):
        card.open_turn(number)
    card.open_dialogue()
    return card.total()


def gate_open(turn: ir.Turn, outcomes: Mapping[str, Outcome]) -> bool:
    """Whether the dialogue goes on after a turn: every strict item that was decided holds.

    A verdict that is an error keeps the gate open: it masks the rollout, and closes nothing.
    """
    found = [outcomes.get(f"{turn.name}.{item.name}") for item in turn.items if item.strict]
    return all(one is None or _lets_on(one) for one in found)


def _lets_on(outcome: Outcome) -> bool:
    if isinstance(outcome, Settled):
        return outcome.holds
    return outcome.verdict in (Verdict.PASS, Verdict.ERROR)
