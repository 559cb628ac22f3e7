"""What came of the tests of some specs: plain data, which every output shows in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cm2dsl.testing.cover import Cover
from cm2dsl.testing.explain import explain
from cm2dsl.testing.points import KINDS, Kind, Point, points
from cm2dsl.testing.run import Complaint, Ran, Runner, Status
from cm2dsl.testing.select import Matches
from cm2dsl.testing.subject import Subject, Task, WrittenTest


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a test: a failure, an error or a note, and what explains it, a line each."""

    kind: Literal["failed", "error", "note"]
    complaint: Complaint
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A test that was run. `said` has what is wrong with it first, and then its notes."""

    test: WrittenTest
    status: Status
    reward: float | None
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """How many points of some kind there are, and how many are covered."""

    covered: int
    all: int

    @property
    def percent(self) -> float:
        """In percent, cut after one decimal: 100 is all of them. What has no points is covered."""
        return self.covered * 1000 // self.all / 10 if self.all else 100.0


@dataclass(frozen=True, slots=True)
class Report:
    """The tests of one spec that were run, and what they do not cover of it.

    `untested` are the tasks for which none was run.
    """

    spec: str
    results: tuple[Result, ...]
    points: tuple[Point, ...]
    uncovered: tuple[Point, ...]
    untested: tuple[Task, ...]

    def share(self, kind: Kind) -> Share:
        everything = sum(point.kind == kind for point in self.points)
        return Share(everything - sum(point.kind == kind for point in self.uncovered), everything)

    @property
    def whole(self) -> Share:
        return total([self.share(kind) for kind in KINDS])


def total(shares: Iterable[Share]) -> Share:
    """The sum of shares."""
    every = list(shares)
    return Share(sum(one.covered for one in every), sum(one.all for one in every))


def overall(reports: Sequence[Report]) -> Share:
    """The coverage of all specs together."""
    return total(report.whole for report in reports)


def count(reports: Sequence[Report], status: Status) -> int:
    """How many tests came out so."""
    return sum(result.status == status for report in reports for result in report.results)


def report_on(subject: Subject, selected: Matches | None) -> Report:
    """Run the tests of a spec that are meant."""
    runner = Runner(subject)
    every = points(subject, runner.parts)
    cover = Cover(runner, {point.key for point in every})
    results: list[Result] = []
    for test in subject.tests:
        if selected is None or selected(names(test)):
            ran = runner.run(test)
            cover.add(ran)
            results.append(_result(ran, runner))
    uncovered = tuple(point for point in every if point.key in cover.open)
    for_ = {result.test.block.task for result in results}
    untested = tuple(task for name, task in subject.tasks.items() if name not in for_)
    return Report(subject.name, tuple(results), tuple(every), uncovered, untested)


def names(test: WrittenTest) -> list[str]:
    """What a test can be selected by: its name, its task with the row, and its spec's file."""
    return [name.casefold() for name in (test.block.name, test.task_id, test.spec)]


def _result(ran: Ran, runner: Runner) -> Result:
    wrong: list[tuple[Literal["failed", "error"], Complaint]] = [
        ("error", one) for one in ran.faults
    ]
    wrong += [("failed", one) for one in ran.failures]
    wrong.sort(key=lambda pair: pair[1].span.start)
    said = [Said(kind, one, tuple(explain(one, ran, runner.parts))) for kind, one in wrong]
    said += [Said("note", one) for one in ran.notes]
    reward = ran.played.scored.reward if ran.played is not None else None
    return Result(ran.test, ran.status, reward, tuple(said))
