"""One dialogue scored with the verdicts that a test gives in the judge's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cm2dsl.reward.card import Card, Outcome, Scored
from cm2dsl.reward.plan import Plan, PlannedItem
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.scope import Facts, Scope

JUDGE = "judge"
NOBODY = "nobody"
"""Who decided an item that its check leaves open, and on which the test says nothing."""


@dataclass(slots=True, eq=False)
class Played:
    """A scored dialogue. `asked` are the items that went to the judge, in order; `undecided` those
    of them on which the test has no verdict.
    """

    card: Card
    scored: Scored
    asked: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def facts(self) -> Facts:
        return self.card.facts

    def scope(self, number: int | None) -> Scope:
        """What the items of a turn, or of the task scope, were decided on."""
        if number is not None:
            return Scope(self.facts, turn=number)
        return Scope(self.facts, turns=self.card.reached)

    @property
    def closed(self) -> int | None:
        """The turn whose gate ended a dialogue that went on."""
        plan, card = self.card.plan, self.card
        goes_on = card.reached < min(card.turns, len(plan.turns))
        return card.reached - 1 if goes_on else None


def play(
    plan: Plan,
    facts: Facts,
    judged: Mapping[str, Verdict],
    *,
    forced: Mapping[str, Outcome] | None = None,
    ends: int | None = None,
    missing: Verdict = Verdict.ERROR,
) -> Played:
    """Score a dialogue; `judged` has the judge's verdicts by the items' full names.

    To ask what else might have been: `forced` has the outcomes of items that are taken as they are
    given, the dialogue has no more than `ends` turns, and `missing` is the verdict on items that go
    to the judge without one.
    """
    card = Card(plan, facts)
    if ends is not None:
        card.turns = min(card.turns, ends)
    forced = forced or {}
    asked: list[str] = []

    def decide(waiting: Sequence[PlannedItem], items: Sequence[PlannedItem], scope: Scope) -> None:
        for one in waiting:
            asked.append(one.name)
            card.decided(one.name, _verdict(judged.get(one.name), scope.steps, missing))
        for one in items:
            if one.name in forced:
                card.outcomes[one.name] = forced[one.name]

    for number, items in enumerate(plan.turns):
        waiting = card.open_turn(number)
        if number < card.reached:
            decide(waiting, items, Scope(facts, turn=number))
    waiting = card.open_dialogue()
    decide(waiting, plan.dialogue, Scope(facts, turns=card.reached))
    undecided = [name for name in asked if _by(card.outcomes[name]) == NOBODY]
    return Played(card, card.total(), tuple(asked), tuple(undecided))


def _verdict(verdict: Verdict | None, steps: int, missing: Verdict) -> Decision:
    """What a judge says when an item's scope has ended; a pass holds from its last step."""
    if not steps:
        reason = "the agent did not take a step"
        return Decision(Verdict.INSUFFICIENT, JUDGE, reason=reason)
    if verdict is None:
        return Decision(missing, NOBODY)
    return Decision(verdict, JUDGE, step=steps - 1 if verdict is Verdict.PASS else None)


def _by(outcome: Outcome) -> str:
    return outcome.by if isinstance(outcome, Decision) else ""
