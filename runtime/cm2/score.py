"""Trajectories to verdicts and rewards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cm2 import credit
from cm2.bundle import Bundle, Instance
from cm2.checklist import DIALOGUE, CreditItem, CreditTask, CreditTurn
from cm2.decide import dialogue_facts, run_check, turn_facts
from cm2.judge.view import Question
from cm2.satisfaction import Verdicts
from cm2.trajectory import Trajectory
from cm2.verdict import Decision, Verdict
from cm2dsl import ir
from cm2dsl.diagnostic import suggest

GATE = "gate"


class ScoreError(ValueError):
    """A trajectory that cannot be scored with a spec. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


class Decides(Protocol):
    """A judge: one decision a question, in order."""

    def decide(self, questions: Sequence[Question]) -> list[Decision]: ...


@dataclass(frozen=True)
class Scored:
    """A scored trajectory.

    `decisions` has every item that was decided, by full name (`turn.item`); the items of turns
    that were not reached are failed by the gate. `unjudged` are the items left out for want of a
    judge: they are not in `task`, `verdicts` and the rewards. `at` are the turns
    that carry reward. `reward` is None where a verdict is an error, and where no turn is in `at`.
    """

    trajectory: Trajectory
    instance: Instance
    decisions: dict[str, Decision]
    unjudged: tuple[str, ...]
    task: CreditTask
    at: tuple[str, ...]
    verdicts: Verdicts
    reward: float | None
    turn_rewards: list[float | None]


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


def needs_judge(item: ir.Item) -> bool:
    """Whether a judge may have to decide the item."""
    return item.ask is not None


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
    cards = [_Card(bundle, t, find_instance(bundle, t.task), judge) for t in trajectories]
    turns = max((len(card.instance.task.turns) for card in cards), default=0)
    for number in range(turns):
        _ask(judge, [question for card in cards for question in card.open_turn(number)])
    _ask(judge, [question for card in cards for question in card.open_dialogue()])
    return [card.total() for card in cards]


@dataclass
class _Open:
    """An item that waits for the judge, and where its decision goes."""

    question: Question
    name: str
    decisions: dict[str, Decision]


def _ask(judge: Decides | None, waiting: list[_Open]) -> None:
    if judge is None or not waiting:
        return
    answers = judge.decide([one.question for one in waiting])
    for one, decision in zip(waiting, answers, strict=True):
        one.decisions[one.name] = decision


class _Card:
    """One trajectory while it is scored."""

    def __init__(
        self, bundle: Bundle, trajectory: Trajectory, instance: Instance, judge: Decides | None
    ) -> None:
        self.bundle = bundle
        self.trajectory = trajectory
        self.instance = instance
        self.judged = judge is not None
        self.decisions: dict[str, Decision] = {}
        self.reached = 0

    def open_turn(self, number: int) -> list[_Open]:
        """Decide what checks can in this turn, and return what is left to the judge."""
        turns = self.instance.task.turns
        if number >= len(turns):
            return []
        turn = turns[number]
        gated = number > 0 and not (
            self.reached == number and gate_open(turns[number - 1], self.decisions)
        )
        if gated or number >= len(self.trajectory.turns):
            missed = Decision(Verdict.FAIL, GATE, reason="the turn was not reached")
            names = [f"{turn.name}.{item.name}" for item in self._decidable(turn.items)]
            self.decisions |= dict.fromkeys(names, missed)
            return []
        self.reached = number + 1
        return self._open(turn.name, number, turn.items)

    def open_dialogue(self) -> list[_Open]:
        """The same for the task scope, whose dialogue is the turns that were reached."""
        return self._open(DIALOGUE, None, self.instance.task.items)

    def _open(self, scope: str, turn: int | None, items: Sequence[ir.Item]) -> list[_Open]:
        seen = replace(self.trajectory, turns=self.trajectory.turns[: self.reached])
        facts = dialogue_facts(seen) if turn is None else turn_facts(seen, turn)
        spec, task, row = self.bundle.spec, self.instance.task, self.instance.row
        waiting: list[_Open] = []
        for item in self._decidable(items):
            name = f"{scope}.{item.name}"
            decision = None
            if item.check is not None:
                decision = run_check(item, self.bundle.checks[item.check], facts, row)
            if decision is not None:
                self.decisions[name] = decision
            else:
                question = Question(spec, task, row, turn, item, seen)
                waiting.append(_Open(question, name, self.decisions))
        return waiting

    def _decidable(self, items: Sequence[ir.Item]) -> list[ir.Item]:
        return [item for item in items if self.judged or not needs_judge(item)]

    def total(self) -> Scored:
        task = self.instance.task
        credited, at = credit_task(task, self.judged)
        steps = [len(turn.steps) for turn in self.trajectory.turns[: self.reached]]
        verdicts = Verdicts(
            [
                self._timeline(turn.name, turn.items, count)
                for turn, count in zip(credited.turns, steps, strict=False)
            ],
            self._timeline(DIALOGUE, credited.items, sum(steps)) if credited.items else (),
        )
        reward: float | None = None
        turn_rewards: list[float | None] = [None] * len(task.turns)
        if at:
            reward, turn_rewards = credit.rewards(
                credited, verdicts, unreached=task.assign.unreached, at=at
            )
        return Scored(
            self.trajectory,
            self.instance,
            self.decisions,
            () if self.judged else unjudged(task),
            credited,
            at,
            verdicts,
            reward,
            turn_rewards,
        )

    def _timeline(
        self, scope: str, items: Sequence[CreditItem], steps: int
    ) -> list[dict[str, bool | None]]:
        """v(s): for each step of a scope, whether each item holds after it; None for an error."""
        return [
            {item.id: _holds(self.decisions[f"{scope}.{item.id}"], s) for item in items}
            for s in range(steps)
        ]


def _holds(decision: Decision, step: int) -> bool | None:
    if decision.verdict is Verdict.ERROR:
        return None
    return decision.step is not None and step >= decision.step


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


def gate_open(turn: ir.Turn, decisions: dict[str, Decision]) -> bool:
    """Whether the dialogue goes on after a turn: every strict item that was decided holds.

    A verdict that is an error keeps the gate open: it masks the rollout, and closes nothing.
    """
    found = [decisions.get(f"{turn.name}.{item.name}") for item in turn.items if item.strict]
    return all(one is None or one.verdict in (Verdict.PASS, Verdict.ERROR) for one in found)


def unjudged(task: ir.Task) -> tuple[str, ...]:
    """The full names of the items that a judge would have to decide."""
    scopes = [*((turn.name, turn.items) for turn in task.turns), (DIALOGUE, task.items)]
    return tuple(
        f"{scope}.{item.name}" for scope, items in scopes for item in items if needs_judge(item)
    )


def credit_task(task: ir.Task, judged: bool) -> tuple[CreditTask, tuple[str, ...]]:
    """The task as credit sees it, and the turns that carry reward.

    Unless `judged`, items that need a judge are left out, and so is a turn that they leave without
    weight. No turn may be left: nothing can be said about the task then without a judge.
    """
    left_out = set() if judged else set(unjudged(task))
    scopes = [*((turn.name, turn.items) for turn in task.turns), (DIALOGUE, task.items)]
    kept = {scope: _kept(scope, items, left_out) for scope, items in scopes}
    known = {f"{scope}.{item.name}" for scope in kept for item in kept[scope]}
    turns = tuple(
        CreditTurn(turn.name, _credit_items(kept[turn.name], known)) for turn in task.turns
    )
    items = _credit_items(kept[DIALOGUE], known)
    named = [*((turn.name, turn.items) for turn in turns), *([(DIALOGUE, items)] if items else [])]
    empty = {turn.name for turn in task.turns if not turn.items}
    at = tuple(
        name
        for name, counted in named
        if (counted or name in empty) and (task.assign.at is None or name in task.assign.at)
    )
    return CreditTask(turns, items), at


def _kept(scope: str, items: Sequence[ir.Item], left_out: set[str]) -> list[ir.Item]:
    """The items of a turn that count; none where what is left has no weight."""
    kept = [item for item in items if f"{scope}.{item.name}" not in left_out]
    return kept if any(item.weight > 0 for item in kept) else []


def _credit_items(items: Sequence[ir.Item], known: set[str]) -> tuple[CreditItem, ...]:
    """The items as credit sees them; what does not count is waited for by none."""
    return tuple(
        CreditItem(
            id=item.name,
            weight=item.weight,
            after=tuple(name for name in item.after if name in known),
            strict=item.strict,
            veto=item.veto,
            penalty=item.penalty,
        )
        for item in items
    )
