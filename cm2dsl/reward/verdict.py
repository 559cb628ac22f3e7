"""Verdicts: what was decided about one item, on what evidence, by whom."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """`insufficient` is not satisfied and counted apart; `error` is no verdict and masks."""

    PASS = "pass"
    FAIL = "fail"
    INSUFFICIENT = "insufficient"
    ERROR = "error"


class Evidence(Struct, frozen=True):
    """A segment's name, and from a judge the words quoted from it (verified by code)."""

    segment: str
    quote: str | None = None


class Decision(Struct, frozen=True):
    """The verdict on one item of one turn.

    `by` is `check`, `judge` or `gate` (the turn was not reached). `step` is the first step, within
    the item's scope and from 0, after which the item holds; None where it never does. A judge may
    say more: `agreement` is the share of its votes that are for the verdict, `confidence` the
    probability that its model gave to it, `question` a digest of what it was asked and could see.
    """

    verdict: Verdict
    by: str
    evidence: tuple[Evidence, ...] = ()
    step: int | None = None
    reason: str = ""
    agreement: float | None = None
    confidence: float | None = None
    question: str = ""
