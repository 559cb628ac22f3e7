"""The report on a terminal: tables, and the first disagreements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cm2.calibrate.cases import Case
from cm2.calibrate.figures import LEAST, Figures
from cm2.calibrate.report import Report
from cm2.calibrate.shown import HEAD, number, on_one_line, row
from cm2.judge.ledger import Cost
from cm2.table import table
from cm2dsl.report.words import counted
from cm2dsl.reward.verdict import Verdict

SHOWN = 10
"""Disagreements that are printed; the page has them all."""

VERDICTS = tuple(Verdict)


def report_text(found: Report) -> str:
    """The whole report."""
    parts = [_head(found), _figures("item", {"all items": found.whole, **found.items})]
    if found.families:
        families = {f"{family}: {name}": one for (family, name), one in found.families.items()}
        parts.append(_figures("family", families))
    parts.append(_notes(found))
    if found.confusion:
        parts.append(_confusion(found))
    if found.retest is not None:
        parts.append(_retest(found))
    if found.people is not None:
        parts.append(_people(found))
    parts.append(cost_text(found.cost))
    if found.disagreements or found.failures:
        parts.append(_listed(found))
    return "\n\n".join(parts)


def _head(found: Report) -> str:
    lines = [f"{counted(found.cases, 'labelled item')} of {on_one_line(found.spec)}"]
    settled, agree = found.settled
    if settled:
        lines.append(f"decided by a check, and not asked: {settled}; {agree} as the label says")
    if found.ties:
        lines.append(f"left out, as the labellers tie: {found.ties}")
    return "\n".join(lines)


def _figures(head: str, groups: Mapping[str, Figures]) -> str:
    rows = [[on_one_line(name), *row(one)] for name, one in groups.items()]
    return table([head, *HEAD], rows, right=range(1, len(HEAD) + 1))


def _notes(found: Report) -> str:
    lines = ["a pass is yes; fail and insufficient are no; errors count as neither"]
    if any(math.isnan(one.kappa_interval[0]) for one in found.items.values()):
        few = f"fewer than {LEAST} dialogues"
        lines.append(f"no interval of κ: {few}, or no two resamples differ; go by n")
    return "\n".join(lines)


def _confusion(found: Report) -> str:
    rows = [
        [focus, "pass" if label else "fail", *(str(counts[verdict]) for verdict in VERDICTS)]
        for (focus, label), counts in found.confusion.items()
    ]
    head = ["focus", "label", *(f"judge: {verdict}" for verdict in VERDICTS)]
    return table(head, rows, right=range(2, 2 + len(VERDICTS)))


def _retest(found: Report) -> str:
    one = found.retest
    assert one is not None
    return (
        f"{one.runs} runs, {counted(one.n, 'item')}: all runs say the same of "
        f"{number(one.same)}, two of them of {number(one.pairwise)}; "
        f"Krippendorff's α {number(one.alpha)}"
    )


def _people(found: Report) -> str:
    one = found.people
    assert one is not None
    alpha = f"Krippendorff's α of the labellers {number(one.alpha)}, on {counted(one.n, 'item')}"
    return (
        alpha + "\n" + _figures("judge against", {name or "-": f for name, f in one.each.items()})
    )


def cost_text(cost: Cost) -> str:
    """What judging took, on one line."""
    parts = [counted(cost.calls, "call"), f"{cost.hits} from the cache"]
    if cost.calls > cost.uncounted:
        tokens = f"{cost.prompt} prompt tokens ({cost.cached} cached), {cost.output} of answers"
        parts.append(tokens)
    parts.append(f"{cost.seconds:.1f} s of the engine")
    parts += [f"{trouble}: {count}" for trouble, count in sorted(cost.troubles.items())]
    return ", ".join(parts)


def _listed(found: Report) -> str:
    lines: list[str] = []
    for what, cases in (("disagreements", found.disagreements), ("errors", found.failures)):
        if cases:
            first = f", the first {SHOWN}; --html has all" if len(cases) > SHOWN else ""
            lines += (
                ["", f"{what}: {len(cases)}{first}"] if lines else [f"{what}: {len(cases)}{first}"]
            )
            lines += [line for case in cases[:SHOWN] for line in _case(case)]
    return "\n".join(lines)


def _case(case: Case) -> Sequence[str]:
    one = case.runs[0]
    label = {True: "pass", False: "fail", None: "tie"}[case.label]
    quotes = [f'{each.segment} "{on_one_line(each.quote or "")}"' for each in one.evidence]
    head = f"  {on_one_line(case.dialogue.id)}  {case.name}: judge {one.verdict}, label {label}"
    return [head, f"    {on_one_line(one.reason)}", *(f"    {quote}" for quote in quotes)]
