"""Dialogues to verdicts and rewards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cm2.bundle import Bundle
from cm2.judge.view import Question
from cm2.trajectory import Trajectory
from cm2dsl import ir
from cm2dsl.diagnostic import suggest
from cm2dsl.reward.card import Card, Scored
from cm2dsl.reward.instance import Instance
from cm2dsl.reward.plan import PlannedItem
from cm2dsl.reward.verdict import Decision
from cm2dsl.scope import facts_of


class ScoreError(ValueError):
    """A trajectory that cannot be scored with a spec. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


class Decides(Protocol):
    """A judge: one decision a question, in order."""

    def decide(self, questions: Sequence[Question]) -> list[Decision]: ...


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
    open_ = [
        _Scoring(t, Card(bundle.plan(find_instance(bundle, t.task), judged), facts_of(t)))
        for t in trajectories
    ]
    turns = max((len(one.card.plan.turns) for one in open_), default=0)
    for number in range(turns):
        _ask(bundle, judge, [(one, number, one.card.open_turn(number)) for one in open_])
    _ask(bundle, judge, [(one, None, one.card.open_dialogue()) for one in open_])
    return [one.card.total() for one in open_]


def _ask(
    bundle: Bundle,
    judge: Decides | None,
    waiting: Iterable[tuple[_Scoring, int | None, Sequence[PlannedItem]]],
) -> None:
    open_ = [(one, turn, item) for one, turn, items in waiting for item in items]
    if judge is None or not open_:
        return
    answers = judge.decide([one.question(bundle, turn, item.item) for one, turn, item in open_])
    for (one, _, item), decision in zip(open_, answers, strict=True):
        one.card.decided(item.name, decision)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """A dialogue and what became of its items so far."""

    trajectory: Trajectory
    card: Card

    def question(self, bundle: Bundle, turn: int | None, item: ir.Item) -> Question:
        """What the judge is asked about an item; it sees the turns that were reached."""
        whole = self.trajectory
        reached = whole.turns[: self.card.reached]
        seen = Trajectory(whole.id, whole.task, reached, whole.system, whole.opening)
        instance = self.card.plan.instance
        return Question(bundle.spec, instance.task, instance.row, turn, item, seen)


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
