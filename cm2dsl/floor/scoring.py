"""A dialogue scored as a rollout is, with a judge of one word; and what was paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from cm2dsl.reward.card import Card, Scored
from cm2dsl.reward.instance import Check, Instance
from cm2dsl.reward.plan import Plan, plan_for
from cm2dsl.reward.satisfaction import track
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.scope import Facts

JUDGE = "judge"
FAILED = Decision(Verdict.FAIL, JUDGE)


class Plans:
    """The plans of a task: without a judge, and with one if its items ask for one."""

    def __init__(self, instance: Instance, checks: Mapping[str, Check]) -> None:
        self._unjudged = plan_for(instance, checks, judged=False)
        self._judged = plan_for(instance, checks, judged=True) if self._unjudged.unjudged else None

    def go_to(self, instance: Instance) -> None:
        """Take another row of the task."""
        self._unjudged = replace(self._unjudged, instance=instance)
        if self._judged is not None:
            self._judged = replace(self._judged, instance=instance)

    def scored(self, facts: Facts) -> list[Scored]:
        """Scored without a judge; and if there is something to ask, with one that fails it all."""
        found = [score(self._unjudged, facts, Verdict.FAIL)]
        if self._judged is not None:
            found.append(score(self._judged, facts, Verdict.FAIL))
        return found

    def passed(self, facts: Facts) -> float | None:
        """The reward with a judge that passes all that it is asked."""
        return score(self._judged or self._unjudged, facts, Verdict.PASS).reward


def score(plan: Plan, facts: Facts, verdict: Verdict) -> Scored:
    """Score a dialogue with a judge that gives this verdict on all that it is asked.

    What it passes holds from the end of its scope on, as when a judge is called once.
    """
    card = Card(plan, facts)
    lengths = facts.lengths
    for number in range(len(plan.turns)):
        for one in card.open_turn(number):
            card.decided(one.name, _decision(verdict, lengths[number]))
    for one in card.open_dialogue():
        card.decided(one.name, _decision(verdict, sum(lengths[: card.reached])))
    return card.total()


def _decision(verdict: Verdict, steps: int) -> Decision:
    return FAILED if verdict is Verdict.FAIL else Decision(verdict, JUDGE, step=steps - 1)


def paid(scored: Scored) -> Iterator[str]:
    """The full names of the items with weight that were satisfied, in turns that were worth it."""
    checklist = scored.plan.checklist
    if checklist is None or not scored.reward:
        return
    tracks = track(checklist, scored.verdicts, "")
    for number in scored.plan.scopes:
        if not scored.turn_rewards[number]:
            continue
        for name in tracks[number].windows:
            if checklist.scopes[number][name].weight and tracks[number].flipped(name):
                yield f"{checklist.names[number]}.{name}"
