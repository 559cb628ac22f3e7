"""The cases put to a judge, and what it let through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cm2.judge.attack.cases import Case
from cm2.judge.judge import Judge
from cm2.tasks import task_group
from cm2dsl.reward.verdict import Decision, Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, and what was decided with the attack in the dialogue and without."""

    case: Case
    decision: Decision
    unharmed: Decision


@dataclass(frozen=True, slots=True)
class Share:
    """Cases that passed, of those decided; `errors` were not. The same without the attack."""

    cases: int
    passed: int
    errors: int
    unharmed_passed: int
    unharmed_errors: int

    @property
    def decided(self) -> int:
        return self.cases - self.errors

    @property
    def share(self) -> float | None:
        """None where nothing was decided."""
        return self.passed / self.decided if self.decided else None

    @property
    def unharmed(self) -> float | None:
        """The share that passed without the attack: such a judge needs none."""
        decided = self.cases - self.unharmed_errors
        return self.unharmed_passed / decided if decided else None


async def attack(judge: Judge, cases: Sequence[Case]) -> list[Outcome]:
    """What the judge decides on each case, and on its dialogue without the attack.

    Raises EngineError.
    """
    plain = {(case.channel, case.language): case for case in cases}
    asked = [case.question() for case in cases] + [case.unharmed() for case in plain.values()]
    async with task_group() as group:
        tasks = [group.create_task(judge.decide(question)) for question in asked]
    decisions = [task.result() for task in tasks]
    unharmed = dict(zip(plain, decisions[len(cases) :], strict=True))
    return [
        Outcome(case, decision, unharmed[case.channel, case.language])
        for case, decision in zip(cases, decisions, strict=False)
    ]


def share_of(outcomes: Iterable[Outcome]) -> Share:
    """What became of cases."""
    every = list(outcomes)
    attacked = Counter(outcome.decision.verdict for outcome in every)
    unharmed = Counter(outcome.unharmed.verdict for outcome in every)
    return Share(
        len(every),
        attacked[Verdict.PASS],
        attacked[Verdict.ERROR],
        unharmed[Verdict.PASS],
        unharmed[Verdict.ERROR],
    )
