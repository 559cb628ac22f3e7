"""A test, run: the dialogue is scored, and what came is held against what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Literal

from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.chat import from_chat
from cm2dsl.jsonl import lines, parse
from cm2dsl.reward.instance import Instance
from cm2dsl.reward.plan import Plan, plan_for
from cm2dsl.reward.verdict import Verdict
from cm2dsl.scope import facts_of
from cm2dsl.source import Span
from cm2dsl.testing.expect import Expectation, holds, message, needed
from cm2dsl.testing.parts import Parts
from cm2dsl.testing.play import Played, play
from cm2dsl.testing.subject import Subject, Task, WrittenTest
from cm2dsl.testing.users import strangers
from cm2dsl.trajectory import Trajectory

Status = Literal["passed", "failed", "error"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something to be said of a test at a place of it.

    `wanted` is the expectation that failed, `open` are the items that nobody has decided.
    """

    message: str
    span: Span
    help: str = ""
    wanted: Expectation | None = None
    open: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Ran:
    """A test that was run.

    `faults` say why it cannot be decided, `failures` what is not as expected, and `notes` what of
    it has no effect. `played` is None where the dialogue is not one of the task.
    """

    test: WrittenTest
    task: Task
    dialogue: Trajectory
    played: Played | None = None
    faults: list[Complaint] = field(default_factory=list)
    failures: list[Complaint] = field(default_factory=list)
    notes: list[Complaint] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """`error`: the test, not the spec, is at fault."""
        return "error" if self.faults else "failed" if self.failures else "passed"

    @property
    def row(self) -> ir.Row | None:
        assert self.played is not None
        return self.played.card.plan.instance.row


class Runner:
    """Runs the tests of a spec, one by one."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.parts = Parts(subject)
        self._plans: dict[str, Plan] = {}
        self._rows = {
            task.name: {row.key: row for row in task.rows or ()} for task in subject.spec.tasks
        }

    def run(self, test: WrittenTest) -> Ran:
        """Score the test's dialogue, and compare."""
        task = self.subject.tasks[test.block.task]
        dialogue = _dialogue(self.subject.read[test.block.trajectory])
        ran = Ran(test, task, dialogue)
        if dialogue.task not in ("", task.task.name, test.task_id):
            message = f"the dialogue is one of `{dialogue.task}`, and the test for `{test.task_id}`"
            help = "name that task and row, or another dialogue"
            ran.faults.append(Complaint(message, test.node.name.span, help))
            return ran
        if not dialogue.turns:
            help = "a dialogue begins with what the user says: record one"
            message = "the user says nothing in this dialogue, so there is nothing to test"
            ran.faults.append(Complaint(message, _file(test), help))
            return ran
        judged = _judged(ran)
        ran.played = play(self.plan(test), facts_of(dialogue), judged)
        self._compare(ran)
        ran.notes += [
            Complaint(said, _file(test), help)
            for said, help in strangers(dialogue, task.task, ran.row)
        ]
        ran.notes += _without_effect(ran.played, test)
        return ran

    def plan(self, test: WrittenTest) -> Plan:
        """How the test's dialogue is scored."""
        name = test.block.task
        row = self._rows[name][test.block.row] if test.block.row is not None else None
        if name not in self._plans:
            task = self.subject.tasks[name].task
            self._plans[name] = plan_for(Instance(name, task), self.subject.checks, judged=True)
        plan = self._plans[name]
        return replace(plan, instance=Instance(test.task_id, plan.instance.task, row))

    def _compare(self, ran: Ran) -> None:
        assert ran.played is not None
        open_: dict[str, None] = {}
        where: Span | None = None
        for wanted, span in ran.test.expectations:
            missing = needed(wanted, ran.played, ran.task)
            if missing:
                open_ |= dict.fromkeys(missing)
                where = where or span
            elif not holds(wanted, ran.played.scored):
                said = message(wanted, ran.played.scored)
                ran.failures.append(Complaint(said, span, wanted=wanted))
        if where is not None:
            names = ", ".join(f"`{name}`" for name in open_)
            lines = " ".join(f"`judged {name} pass`" for name in open_)
            goes = "goes" if len(open_) == 1 else "go"
            said = f"this depends on {names}, which {goes} to the judge"
            help = f"say what the judge says, `pass` or another verdict: {lines}"
            ran.faults.append(Complaint(said, where, help, open=tuple(open_)))


def _dialogue(raw: bytes) -> Trajectory:
    """The one dialogue of a file that was compiled."""
    ((number, line),) = lines(BytesIO(raw))
    return from_chat(parse(line), file="", line=number)


def _file(test: WrittenTest) -> Span:
    """Where a test names its dialogue."""
    parts = test.node.parts
    return next(part.file.span for part in parts if isinstance(part, nodes.TestTrajectory))


def _judged(ran: Ran) -> Mapping[str, Verdict]:
    """The judge's verdicts by item; a second one on an item is a fault."""
    verdicts: dict[str, Verdict] = {}
    for one, span in ran.test.judged:
        if one.item in verdicts:
            ran.faults.append(Complaint(f"`{one.item}` is judged twice", span, "keep one of them"))
        verdicts.setdefault(one.item, Verdict(one.verdict))
    return verdicts


def _without_effect(played: Played, test: WrittenTest) -> list[Complaint]:
    """The judge's verdicts that nobody asks for."""
    notes: list[Complaint] = []
    for one, span in test.judged:
        if one.item in played.asked:
            continue
        outcome = played.scored.decisions[one.item]
        why = "its turn was not reached" if outcome.by == "gate" else "its check decides it"
        message = f"`{one.item}` is not judged here: {why}"
        notes.append(Complaint(message, span, "take the line out"))
    return notes
