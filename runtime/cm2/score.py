"""Dialogues to verdicts and rewards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cm2 import satisfaction
from cm2.bundle import Bundle, Instance
from cm2.checklist import DIALOGUE, CreditItem, CreditTask
from cm2.decide import Settled, settle
from cm2.judge.view import Question
from cm2.plan import Plan, PlannedItem, plan_of
from cm2.satisfaction import Held, Verdicts
from cm2.trajectory import Trajectory
from cm2.verdict import Decision, Verdict
from cm2dsl import ir
from cm2dsl.diagnostic import suggest
from cm2dsl.scope import Facts, Scope, facts_of

GATE = "gate"
MISSED = Decision(Verdict.FAIL, GATE, reason="the turn was not reached")

Outcome = Settled | Decision
"""What became of an item: a check settled it, or somebody else decided."""


class ScoreError(ValueError):
    """A trajectory that cannot be scored with a spec. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


class Decides(Protocol):
    """A judge: one decision a question, in order."""

    def decide(self, questions: Sequence[Question]) -> list[Decision]: ...


@dataclass(slots=True, eq=False)
class Scored:
    """A scored dialogue.

    `outcomes` has every item that was decided, by full name (`turn.item`); the items of turns
    that were not reached are failed by the gate. `plan.unjudged` are the items left out for want
    of a judge: they are not in `task`, `verdicts` and the rewards. `lengths` are the steps of the
    turns that were reached. `reward` is None where a verdict is an error, and where no turn carries
    reward.
    """

    plan: Plan
    outcomes: Mapping[str, Outcome]
    lengths: list[int]
    reward: float | None
    turn_rewards: list[float | None]
    trajectory: Trajectory | None = None

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


def find_instance(bundle: Bundle, task: str) -> Instance:
    """The instance that a trajectory's `task` names. Raises ScoreError."""
    known = bundle.by_id
    if task in known:
        return known[task]
    if not task and len(known) == 1:
        return next(iter(known.values()))
    if not task:
        raise ScoreError("the dialogue names no task", 'add `"task": "NAME"`, or "NAME/ROW"')
    raise ScoreError(f"there is no task `{task}` in the spec", suggest(task, known))


def score(bundle: Bundle, trajectory: Trajectory, judge: Decides | None = None) -> Scored:
    """Score one trajectory. Raises ScoreError where it names no task of the spec."""
    return score_all(bundle, [trajectory], judge)[0]


def score_all(
    bundle: Bundle, trajectories: Sequence[Trajectory], judge: Decides | None = None
) -> list[Scored]:
    """Score trajectories, in order; what a judge must decide is asked turn by turn, in batches.

    Without a judge, items with an `ask` are left out of the weights, also where a check could
    decide them: a reward whose weights depend on the dialogue could be gamed.
    """
    judged = judge is not None
    cards = [
        _Card(plan_of(bundle, find_instance(bundle, t.task), judged), facts_of(t), t)
        for t in trajectories
    ]
    turns = max((len(card.plan.turns) for card in cards), default=0)
    for number in range(turns):
        _ask(bundle, judge, [(card, number, card.open_turn(number)) for card in cards])
    _ask(bundle, judge, [(card, None, card.open_dialogue()) for card in cards])
    return [card.total() for card in cards]


def score_facts(plan: Plan, facts: Facts) -> Scored:
    """Score the facts of one dialogue with checks alone."""
    card = _Card(plan, facts, None)
    for number in range(len(plan.turns)):
        card.open_turn(number)
    card.open_dialogue()
    return card.total()


def _ask(
    bundle: Bundle,
    judge: Decides | None,
    waiting: Iterable[tuple[_Card, int | None, Sequence[PlannedItem]]],
) -> None:
    open_ = [(card, turn, one) for card, turn, items in waiting for one in items]
    if judge is None or not open_:
        return
    answers = judge.decide([card.question(bundle, turn, one.item) for card, turn, one in open_])
    for (card, _, one), decision in zip(open_, answers, strict=True):
        card.outcomes[one.name] = decision
        card.errors = card.errors or decision.verdict is Verdict.ERROR


class _Card:
    """One dialogue while it is scored."""

    __slots__ = ("errors", "facts", "outcomes", "plan", "reached", "trajectory", "turns")

    def __init__(self, plan: Plan, facts: Facts, trajectory: Trajectory | None) -> None:
        self.plan = plan
        self.facts = facts
        self.trajectory = trajectory
        self.outcomes: dict[str, Outcome] = {}
        self.errors = False
        # With a simulated user the task has no turns of its own, and the dialogue all it took.
        self.turns = len(facts.marks) - 1
        self.reached = self.turns if plan.instance.task.simulated is not None else 0

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

    def question(self, bundle: Bundle, turn: int | None, item: ir.Item) -> Question:
        """What the judge is asked about an item; it sees the turns that were reached."""
        assert self.trajectory is not None
        seen = Trajectory(
            self.trajectory.id,
            self.trajectory.task,
            self.trajectory.turns[: self.reached],
            self.trajectory.system,
            self.trajectory.opening,
        )
        instance = self.plan.instance
        return Question(bundle.spec, instance.task, instance.row, turn, item, seen)

    def total(self) -> Scored:
        plan = self.plan
        lengths = self.facts.lengths[: self.reached]
        if plan.worth is not None and not self.errors:
            reward, turn_rewards = plan.worth(self.outcomes, lengths)
            return Scored(plan, self.outcomes, lengths, reward, turn_rewards, self.trajectory)
        nothing: list[float | None] = [None] * len(plan.turns)
        scored = Scored(plan, self.outcomes, lengths, None, nothing, self.trajectory)
        if plan.checklist is not None:
            unreached = plan.instance.task.assign.unreached
            found = satisfaction.score(plan.checklist, scored.verdicts, unreached, plan.scopes, "")
            scored.reward, scored.turn_rewards = found.reward, found.turn_rewards
        return scored


def verdict_records(scored: Scored) -> dict[str, dict[str, Any]]:
    """The decisions as JSON: full item name -> verdict, evidence, by, and a judge's reason."""
    return {
        name: {
            "verdict": decision.verdict.value,
            "evidence": [
                {"segment": one.segment, **({} if one.quote is None else {"quote": one.quote})}
                for one in decision.evidence
            ],
            "by": decision.by,
            **({"reason": decision.reason} if decision.reason else {}),
        }
        for name, decision in scored.decisions.items()
    }


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
