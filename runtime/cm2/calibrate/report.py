"""What `cm2 judge agree` found, as plain data for whoever shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cm2.calibrate.cases import Case
from cm2.calibrate.figures import (
    Figures,
    People,
    Retest,
    against_labels,
    by_family,
    by_item,
    confusion,
    judged,
    people,
    retest,
    said,
)
from cm2.judge.ledger import Cost
from cm2dsl.reward.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Report:
    """A judge against labels.

    `judge` are its settings, as (key, value). `whole`, `items` and `families` are its first run's
    figures. `settled` cases a check decides: (how many, how many as the label says); `ties` are
    those on which as many labellers say the one as the other. `disagreements` and `failures` are
    cases, in the order of the labels.
    """

    spec: str
    judge: Sequence[tuple[str, str]]
    cases: int
    whole: Figures
    items: Mapping[str, Figures]
    families: Mapping[tuple[str, str], Figures]
    confusion: Mapping[tuple[str, bool], Counter[Verdict]]
    retest: Retest | None
    people: People | None
    settled: tuple[int, int]
    ties: int
    disagreements: Sequence[Case]
    failures: Sequence[Case]
    cost: Cost


def report(spec: str, settings: Mapping[str, object], cases: Sequence[Case], cost: Cost) -> Report:
    """The report on cases that were asked."""
    settled = [case for case in cases if case.settled is not None and case.label is not None]
    kept = judged(cases)
    return Report(
        spec=spec,
        judge=list(_lines(settings)),
        cases=len(cases),
        whole=against_labels(cases),
        items=by_item(cases),
        families=by_family(cases),
        confusion=confusion(cases),
        retest=retest(cases),
        people=people(cases),
        settled=(len(settled), sum(case.settled is case.label for case in settled)),
        ties=sum(case.label is None for case in cases),
        disagreements=[case for case in kept if said(case.runs[0]) not in (None, case.label)],
        failures=[case for case in cases if case.runs and said(case.runs[0]) is None],
        cost=cost,
    )


def _lines(settings: Mapping[str, object], within: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", str(value)
