"""What there is to cover of a spec: for each item, atom, dependency and gate, both outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from cm2dsl.reward.gates import gated
from cm2dsl.source import Span
from cm2dsl.testing.parts import Parts
from cm2dsl.testing.subject import Subject, Task, Written

Kind = Literal["item", "check", "edge", "gate"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Outcome = Literal[
    "pass", "fail", "true", "false", "undecided", "satisfied", "waits", "open", "closed"
]

Key = tuple[Kind, str, str, int, Outcome]
"""What a point is of: its kind, the task, the full name of the item (or the turn of a gate), which
atom or dependency of it, and the outcome.
"""

ATOM: dict[bool | None, Outcome] = {True: "true", False: "false", None: "undecided"}

SAYS: dict[Outcome, str] = {
    "pass": "no test depends on its passing",
    "fail": "no test depends on its not passing",
    "true": "no test depends on its being true",
    "false": "no test depends on its being false",
    "undecided": "no test depends on its being left to the judge",
    "satisfied": "no test depends on the item's being satisfied",
    "waits": "no test would fail without it",
    "open": "no test depends on its being open",
    "closed": "no test would fail without it",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One outcome that a test should show. `what` it is of, as messages name it, stands at `span`;
    `use` is the use of the template that it is in.
    """

    key: Key
    what: str
    span: Span
    use: Span | None = None

    @property
    def kind(self) -> Kind:
        return self.key[0]

    @property
    def outcome(self) -> Outcome:
        return self.key[4]

    @property
    def says(self) -> str:
        """What is missing, in words."""
        return f"{self.what}: {SAYS[self.outcome]}"


def points(subject: Subject, parts: Parts) -> list[Point]:
    """Every point of a spec: a task with rows counts once, a template once a use."""
    found: list[Point] = []
    for task in subject.tasks.values():
        for one in task.items.values():
            found += _of_item(task, one)
            found += _of_check(task, one, parts)
            found += _of_edges(task, one)
        found += _of_gates(task)
    return found


def _of_item(task: Task, one: Written) -> Iterator[Point]:
    name = task.task.name
    for outcome in ("pass", "fail"):
        yield Point(("item", name, one.name, 0, outcome), f"item `{name} {one.name}`", one.span)


def _of_check(task: Task, one: Written, parts: Parts) -> Iterator[Point]:
    check = parts.of(task).get(one.name)
    name = task.task.name
    for index, atom in enumerate(check.atoms() if check is not None else ()):
        what = f"`{atom.text}` of `{name} {one.name}`"
        for value in atom.outcomes:
            yield Point(("check", name, one.name, index, ATOM[value]), what, atom.span, one.use)


def _of_edges(task: Task, one: Written) -> Iterator[Point]:
    name = task.task.name
    for index, (other, span) in enumerate(zip(one.item.after, one.after, strict=True)):
        if gated(task.task, one.name.partition(".")[0], other):
            continue  # the gate does it: no dialogue could show what the dependency does
        what = f"`after {other}` of `{name} {one.name}`"
        for outcome in ("satisfied", "waits"):
            yield Point(("edge", name, one.name, index, outcome), what, span)


def _of_gates(task: Task) -> Iterator[Point]:
    name = task.task.name
    for turn, span in list(zip(task.task.turns, task.turns, strict=True))[:-1]:
        if any(item.strict for item in turn.items):
            for outcome in ("open", "closed"):
                what = f"the gate after turn `{name} {turn.name}`"
                yield Point(("gate", name, turn.name, 0, outcome), what, span)
