"""What a row says of an item: its verdict, and the segments that decided it."""

from __future__ import annotations

from cm2dsl.reward.card import Outcome, Scored
from cm2dsl.reward.decide import Settled
from cm2dsl.reward.verdict import Decision


def verdict_of(outcome: Outcome) -> str:
    """`pass`, `fail`, `insufficient` or `error`."""
    if type(outcome) is Settled:
        return "pass" if outcome.holds else "fail"
    assert isinstance(outcome, Decision)
    return outcome.verdict.value


def evidence_of(scored: Scored) -> dict[str, list[dict[str, str]]]:
    """For each item that has any: the segments that decided it, with a judge's quotes."""
    found: dict[str, list[dict[str, str]]] = {}
    for name, outcome in scored.outcomes.items():
        if isinstance(outcome, Settled):
            pieces = [{"segment": segment} for segment in outcome.segments]
        else:
            pieces = [
                {"segment": one.segment, **({} if one.quote is None else {"quote": one.quote})}
                for one in outcome.evidence
            ]
        if pieces:
            found[name] = pieces
    return found
