"""For people: what failed and why, how many passed, and what no test covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cm2dsl.diagnostic import HIDDEN, snippet
from cm2dsl.report.words import counted
from cm2dsl.source import Span
from cm2dsl.testing.columns import columns
from cm2dsl.testing.points import KINDS, Point
from cm2dsl.testing.report import Report, Result, Said, Share, count, overall, total

FIRST = 12
"""Uncovered points of a spec that are shown without --verbose."""


def show(reports: Sequence[Report], verbose: bool) -> str:
    """`verbose`: every test is named, and everything that is not covered."""
    parts: list[str] = []
    for report in reports:
        for result in report.results:
            parts += [block(one, result) for one in result.said]
    if verbose:
        parts.append("\n".join(_names(reports)))
    parts += [_coverage(reports)]
    wrong = count(reports, "failed") + count(reports, "error")
    for report in reports if verbose or not wrong else ():
        parts += ["\n".join(_uncovered(report, verbose))] if report.uncovered else []
    parts.append(_counts(reports))
    return "\n\n".join(parts).translate(HIDDEN) + "\n"


def block(said: Said, result: Result) -> str:
    """One thing that is said of a test: its place, the line, of which test, why."""
    complaint, test = said.complaint, result.test
    lines = [f"{_place(complaint.span)}: {said.kind}: {complaint.message}"]
    lines.append(snippet(complaint.span))
    if complaint.help:
        lines.append(f"  = help: {complaint.help}")
    if said.kind == "note":
        return "\n".join(lines)
    lines.append(f'  in test "{test.block.name}", {test.task_id}, {test.block.trajectory}')
    if said.story:
        lines += ["", *(f"  {line}".rstrip() for line in said.story)]
    return "\n".join(lines)


def _place(span: Span) -> str:
    return f"{span.source.name}:{span.line}:{span.column}"


def _names(reports: Sequence[Report]) -> Iterator[str]:
    for report in reports:
        for one in report.results:
            yield f"{one.status:6}  {one.test.place}: {one.test.block.name} ({one.test.task_id})"


def _coverage(reports: Sequence[Report]) -> str:
    """A line a spec, and one for all."""
    rows = [["coverage", *(f"{kind}s" for kind in KINDS), "all"]]
    for report in reports:
        shares = [report.share(kind) for kind in KINDS]
        rows.append([report.spec, *map(_share, shares), _percent(report.whole)])
    if len(reports) > 1:
        sums = [total(report.share(kind) for report in reports) for kind in KINDS]
        rows.append(["together", *map(_share, sums), _percent(overall(reports))])
    return "\n".join(columns(rows, " rrrrr"))


def _share(share: Share) -> str:
    return f"{share.covered}/{share.all} {_percent(share)}" if share.all else "-"


def _percent(share: Share) -> str:
    return f"{share.percent:g}%"


def _uncovered(report: Report, verbose: bool) -> Iterator[str]:
    """The points that no test covers; those of a task without a test are one line."""
    yield f"not covered in {report.spec}:"
    lines: list[str] = []
    for task in report.untested:
        lines.append(f"{_place(task.span)}: task `{task.task.name}`: no test is for it")
    untested = {task.task.name for task in report.untested}
    for point in report.uncovered:
        if point.key[1] not in untested:
            lines.append(f"{_place(point.span)}: {point.says}{_used(point)}")
    shown = lines if verbose else lines[:FIRST]
    yield from (f"  {line}" for line in shown)
    if len(shown) < len(lines):
        yield f"  and {len(lines) - len(shown)} more: --verbose lists them"


def _used(point: Point) -> str:
    return "" if point.use is None else f" (used at {_place(point.use)})"


def _counts(reports: Sequence[Report]) -> str:
    tests = sum(len(report.results) for report in reports)
    said = [
        f"{number:,} {word}"
        for number, word in (
            (count(reports, "passed"), "passed"),
            (count(reports, "failed"), "failed"),
            (count(reports, "error"), "cannot be decided"),
        )
        if number
    ]
    return f"{counted(tests, 'test')}: {', '.join(said) or 'none was run'}"
