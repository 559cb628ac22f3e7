"""What a row says of an item: its verdict, and the segments that decided it."""

from __future__ import annotations

from typing import Any

from cm2.judge.judge import BY
from cm2.score import judge_record
from cm2dsl.reward.card import Outcome, Scored
from cm2dsl.reward.decide import Settled
from cm2dsl.reward.verdict import Decision


def verdict_of(outcome: Outcome) -> str:
    """`pass`, `fail`, `insufficient` or `error`."""
    if type(outcome) is Settled:
        return "pass" if outcome.holds else "fail"
    assert isinstance(outcome, Decision)
    return outcome.verdict.value


def judged_of(scored: Scored) -> dict[str, dict[str, Any]]:
    """For each item that a judge decided: its reason, and how sure it was of what."""
    return {
        name: {**({"reason": one.reason} if one.reason else {}), **judge_record(one)}
        for name, one in scored.outcomes.items()
        if isinstance(one, Decision) and one.by == BY
    }


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
