"""The parts of a check, each as a function of its own: what of a check was true, and what was not.

They are written by what writes reward.py, so a part is decided as the whole check decides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.emit.reward import emit_reward
from cm2dsl.lower.checks import has_text_atom
from cm2dsl.reward.instance import Check, load_checks
from cm2dsl.scope import Scope
from cm2dsl.source import Span
from cm2dsl.testing.columns import shortened
from cm2dsl.testing.subject import Subject, Task, Written

LONGEST = 90
"""Characters of a part that are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A check or a part of one, and its own parts. `asked`: a judge decides what it leaves open.

    Of a call with several constraints, `alone` are the calls with one each. They are no parts: each
    may be true of another call.
    """

    check: ir.Check
    node: nodes.Expr | nodes.Constraint
    functions: Functions
    number: int
    asked: bool
    of: tuple[Part, ...] = ()
    alone: tuple[Part, ...] = ()

    @property
    def function(self) -> Check:
        """What computes it, as reward.py would."""
        return self.functions.loaded[self.number]

    @property
    def span(self) -> Span:
        return self.node.span

    @property
    def text(self) -> str:
        """The part as it is written, on one line."""
        return shortened(self.span.source.text[self.span.start : self.span.stop], LONGEST)

    @property
    def outcomes(self) -> tuple[bool | None, ...]:
        """What an atom may come out as; None is undecided."""
        return (True, None) if self.asked and has_text_atom(self.check) else (True, False)

    def steps(self, scope: Scope, row: ir.Row | None) -> tuple[int, int]:
        """The steps of the scope after which it is true, and those after which it is false."""
        value = self.function(scope, row)
        if isinstance(value, int):
            return value & scope.all, ~value & scope.all
        return value[0] & scope.all, value[1] & scope.all

    def after(self, scope: Scope, row: ir.Row | None, step: int) -> bool | None:
        """What it is after a step of the scope."""
        true, false = self.steps(scope, row)
        return True if true >> step & 1 else False if false >> step & 1 else None

    def atoms(self) -> Iterator[Part]:
        """What it is made of, down to what has no parts."""
        if not self.of:
            yield self
        for part in self.of:
            yield from part.atoms()


class Parts:
    """The checks of a spec in parts, a task at a time."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._made: dict[str, Mapping[str, Part]] = {}

    def of(self, task: Task) -> Mapping[str, Part]:
        """The checks of a task, by the full name of their item."""
        name = task.task.name
        if name not in self._made:
            functions = Functions(self._subject, task.task)
            checked = [one for one in task.items.values() if one.item.expr is not None]
            self._made[name] = {one.name: _whole(one, functions) for one in checked}
        return self._made[name]


class Functions:
    """The functions of a task's parts, written and loaded when the first of them is called."""

    def __init__(self, subject: Subject, task: ir.Task) -> None:
        self._subject = subject
        self._task = task
        self._items: list[ir.Item] = []

    def add(self, item: ir.Item, check: ir.Check) -> int:
        """The number that a part of an item's check has here."""
        number = len(self._items)
        self._items.append(replace(item, check=f"part_{number}", expr=check))
        return number

    @cached_property
    def loaded(self) -> list[Check]:
        """The functions, by their numbers."""
        only = replace(self._task, turns=(), items=tuple(self._items))
        text = emit_reward(replace(self._subject.spec, tasks=(only,)))
        return list(load_checks(text, self._subject.name).values())


def _inside(check: ir.Check) -> tuple[ir.Check, ...]:
    match check:
        case ir.And() | ir.Or():
            return check.of
        case ir.Not():
            return (check.of,)
        case _:
            return ()


def _alone(check: ir.Check) -> tuple[ir.Called, ...]:
    """A call with several constraints, once for each of them."""
    if not isinstance(check, ir.Called) or len(check.where) < 2:
        return ()
    return tuple(replace(check, where=(each,), exact=False, count=None) for each in check.where)


def _whole(one: Written, functions: Functions) -> Part:
    asked = one.item.ask is not None

    def part(check: ir.Check, node: nodes.Expr) -> Part:
        number = functions.add(one.item, check)
        alone = tuple(
            Part(each, written, functions, functions.add(one.item, each), asked)
            for each, written in zip(_alone(check), _constraints(node), strict=True)
        )
        match node:
            case nodes.AllOf() | nodes.AnyOf():
                inside = node.of
            case nodes.Negate():
                inside = (node.of,)
            case _:
                inside = ()
        pairs = zip(_inside(check), inside, strict=True)
        own = tuple(part(*pair) for pair in pairs)
        return Part(check, node, functions, number, asked, own, alone)

    assert one.item.expr is not None
    assert one.expr is not None
    return part(one.item.expr, one.expr)


def _constraints(node: nodes.Expr) -> tuple[nodes.Constraint, ...]:
    """The constraints of a call that has several."""
    if not isinstance(node, nodes.Called) or len(node.pattern.where) < 2:
        return ()
    return node.pattern.where
