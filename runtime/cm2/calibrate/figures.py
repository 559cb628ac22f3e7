"""How well verdicts agree: with labels, with themselves, and labellers with each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from cm2.agreement import CONFIDENCE, accuracy, interval_by_group, kappa
from cm2.calibrate.cases import Case
from cm2.calibrate.labels import labellers
from cm2dsl.language import is_chinese
from cm2dsl.reward.verdict import Decision, Verdict

LEAST = 10
"""Dialogues from which on an interval of kappa is shown: a bootstrap of fewer draws hardly anything
but what was seen, and is too narrow."""

Interval = tuple[float, float]
NOTHING: Interval = (math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Figures:
    """Two verdicts on the same cases, `yes` being a pass.

    `n` cases of so many `dialogues` have both; `left_out` have an error in place of one, and are in
    nothing else. `cells` count [neither, the first alone, the second alone, both] who say yes;
    insufficient is no. The interval of the accuracy is Wilson's, that of kappa a bootstrap over
    dialogues: NaN where there are fewer than LEAST, and where no resample differs from the others.
    """

    n: int
    dialogues: int
    left_out: int
    cells: tuple[int, int, int, int]
    accuracy: float
    accuracy_interval: Interval
    kappa: float
    kappa_interval: Interval


Pair = tuple[object, bool | None, bool | None]
"""A dialogue's key, and two verdicts on an item of it; None is an error."""


def figures(pairs: Iterable[Pair]) -> Figures:
    """The figures of two verdicts on the same cases. Needs numpy and scipy."""
    by_dialogue: dict[object, list[int]] = {}
    left_out = 0
    for dialogue, first, second in pairs:
        if first is None or second is None:
            left_out += 1
            continue
        by_dialogue.setdefault(dialogue, [0, 0, 0, 0])[first + 2 * second] += 1
    tables = list(by_dialogue.values())
    neither, one, other, both = (sum(table[cell] for table in tables) for cell in range(4))
    cells = (neither, one, other, both)
    drawn = interval_by_group(tables) if len(tables) >= LEAST else NOTHING
    return Figures(
        n=sum(cells),
        dialogues=len(tables),
        left_out=left_out,
        cells=cells,
        accuracy=accuracy(cells),
        accuracy_interval=_wilson(cells),
        kappa=kappa(cells),
        kappa_interval=NOTHING if drawn[0] == drawn[1] else drawn,
    )


def _wilson(cells: Sequence[int]) -> Interval:
    from scipy.stats import binomtest

    total = sum(cells)
    if not total:
        return NOTHING
    found = binomtest(cells[0] + cells[3], total).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


# --- a judge and its labels -------------------------------------------------------------------


def said(decision: Decision) -> bool | None:
    """A verdict as yes or no; None for an error."""
    return None if decision.verdict is Verdict.ERROR else decision.verdict is Verdict.PASS


def judged(cases: Iterable[Case]) -> list[Case]:
    """Those that the judge was asked about, and on which the labellers do not tie."""
    return [case for case in cases if case.runs and case.label is not None]


def against_labels(cases: Iterable[Case]) -> Figures:
    """The judge's first run against the labels."""
    return figures((_key(case), said(case.runs[0]), case.label) for case in judged(cases))


def by_item(cases: Iterable[Case]) -> dict[str, Figures]:
    """The same for every item, in the order in which they come."""
    return _grouped(cases, lambda case: case.name)


FAMILIES: Mapping[str, Callable[[Case], str]] = {
    "focus": lambda case: case.question.item.focus,
    "kind": lambda case: case.question.item.kind,
    "decider": lambda case: "check and ask" if case.question.item.check else "ask",
    "language": lambda case: "zh" if is_chinese(asked_text(case)) else "other",
    "name": lambda case: case.question.item.name,
}
"""What items are put together by. Those that a template makes have one name."""


def by_family(cases: Sequence[Case]) -> dict[tuple[str, str], Figures]:
    """The same by (family, value), where a family has several values or, for names, items."""
    found: dict[tuple[str, str], Figures] = {}
    for family, value in FAMILIES.items():
        kept = judged(cases)
        if family == "name":
            items = {case.name: value(case) for case in kept}
            shared = {name for name, count in Counter(items.values()).items() if count > 1}
            kept = [case for case in kept if value(case) in shared]
        elif len({value(case) for case in kept}) < 2:
            continue
        found |= {(family, name): one for name, one in _grouped(kept, value).items()}
    return found


def _grouped(cases: Iterable[Case], value: Callable[[Case], str]) -> dict[str, Figures]:
    groups: dict[str, list[Case]] = {}
    for case in judged(cases):
        groups.setdefault(value(case), []).append(case)
    return {name: against_labels(group) for name, group in groups.items()}


def asked_text(case: Case) -> str:
    """The words of the item's question, without values of rows."""
    return "".join(part for part in case.question.item.ask or () if isinstance(part, str))


def confusion(cases: Iterable[Case]) -> dict[tuple[str, bool], Counter[Verdict]]:
    """How often the judge gave each verdict, by (focus, label)."""
    found: dict[tuple[str, bool], Counter[Verdict]] = {}
    kept = judged(cases)
    for focus in dict.fromkeys(case.question.item.focus for case in kept):
        for label in (True, False):
            mine = [c for c in kept if c.question.item.focus == focus and c.label is label]
            if mine:
                found[focus, label] = Counter(case.runs[0].verdict for case in mine)
    return found


def _key(case: Case) -> object:
    return case.dialogue.task, case.dialogue.id


# --- a judge and itself -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retest:
    """Several runs of one judge on the same cases.

    `same` is the share of cases on which all runs say the same, `pairwise` the mean share of pairs
    of runs that do, `alpha` Krippendorff's of the four verdicts less the errors. `n` cases have two
    runs or more without an error; NaN where there are none.
    """

    runs: int
    n: int
    same: float
    pairwise: float
    alpha: float


def retest(cases: Iterable[Case]) -> Retest | None:
    """How well a judge agrees with itself; None where it was asked once."""
    kept = [case for case in cases if len(case.runs) > 1]
    if not kept:
        return None
    rows = [[one.verdict for one in case.runs if one.verdict is not Verdict.ERROR] for case in kept]
    full = [row for row in rows if len(row) > 1]
    shares = [sum(a is b for a, b in combinations(row, 2)) / math.comb(len(row), 2) for row in full]
    return Retest(
        runs=len(kept[0].runs),
        n=len(full),
        same=_mean([float(len(set(row)) == 1) for row in full]),
        pairwise=_mean(shares),
        alpha=alpha([[str(verdict) for verdict in row] for row in full]),
    )


# --- people -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class People:
    """Several labellers: Krippendorff's alpha on the `n` cases that two or more have labelled,
    and the judge against each of them."""

    n: int
    alpha: float
    each: Mapping[str, Figures]


def people(cases: Sequence[Case]) -> People | None:
    """How well the labellers agree; None where there is but one."""
    names = labellers([label for case in cases for label in case.labels])
    if len(names) < 2:
        return None
    shared = [case for case in cases if len(case.labels) > 1]
    each = {
        name: figures(
            (_key(case), said(case.runs[0]), label.passed)
            for case in cases
            for label in case.labels
            if case.runs and label.labeller == name
        )
        for name in names
    }
    found = alpha([[str(label.passed) for label in case.labels] for case in shared])
    return People(len(shared), found, each)


def alpha(units: Sequence[Sequence[str]]) -> float:
    """Krippendorff's alpha of nominal values; `units` has those that each case was given.

    NaN where all are one value, or no case has two. Needs the package krippendorff.
    """
    import krippendorff
    import numpy as np

    values = sorted({value for unit in units for value in unit})
    if len(values) < 2 or not any(len(unit) > 1 for unit in units):
        return math.nan
    counts = np.array([[unit.count(value) for value in values] for unit in units])
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
