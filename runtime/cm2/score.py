"""Dialogues to verdicts and rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cm2.bundle import Bundle
from cm2.judge.judge import BY, Judge
from cm2.judging import Judging
from cm2.tasks import task_group
from cm2.trajectory import Trajectory
from cm2dsl.diagnostic import suggest
from cm2dsl.reward.card import Scored, score_facts
from cm2dsl.reward.instance import Instance
from cm2dsl.reward.verdict import Decision
from cm2dsl.scope import facts_of


class ScoreError(ValueError):
    """A trajectory that cannot be scored with a spec. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


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


def score(bundle: Bundle, trajectory: Trajectory, judge: Judge | None = None) -> Scored:
    """Score one trajectory. Raises ScoreError where it names no task of the spec."""
    return score_all(bundle, [trajectory], judge)[0]


def score_all(
    bundle: Bundle, trajectories: Sequence[Trajectory], judge: Judge | None = None
) -> list[Scored]:
    """Score trajectories, in order; a judge is asked about all of them at once.

    Without a judge, items with an `ask` are left out of the weights, also where a check could
    decide them: a reward whose weights depend on the dialogue could be gamed. Raises ScoreError,
    and EngineError where the judge can decide nothing at all.
    """
    if judge is not None:
        return judge.run(score_judged(bundle, trajectories, judge))
    return [
        score_facts(bundle.plan(find_instance(bundle, one.task), False), facts_of(one))
        for one in trajectories
    ]


async def score_judged(
    bundle: Bundle, trajectories: Sequence[Trajectory], judge: Judge
) -> list[Scored]:
    """`score_all` with a judge, on the running loop."""
    plans = [bundle.plan(find_instance(bundle, one.task), True) for one in trajectories]
    async with task_group() as group:
        tasks = [
            group.create_task(Judging(bundle, plan, judge, group, masks=False).scored(one))
            for plan, one in zip(plans, trajectories, strict=True)
        ]
    return [task.result() for task in tasks]


def judge_record(decision: Decision) -> dict[str, Any]:
    """What only a judge says: `step`, `agreement`, `confidence`, and a digest of its `question`."""
    said = {name: getattr(decision, name) for name in ("step", "agreement", "confidence")}
    said["question"] = decision.question or None
    return {name: value for name, value in said.items() if value is not None}


def verdict_records(scored: Scored) -> dict[str, dict[str, Any]]:
    """The decisions as JSON: full item name -> verdict, evidence, by, and what a judge adds."""
    return {
        name: {
            "verdict": decision.verdict.value,
            "evidence": [
                {"segment": one.segment, **({} if one.quote is None else {"quote": one.quote})}
                for one in decision.evidence
            ],
            "by": decision.by,
            **({"reason": decision.reason} if decision.reason else {}),
            **(judge_record(decision) if decision.by == BY else {}),
        }
        for name, decision in scored.decisions.items()
    }
