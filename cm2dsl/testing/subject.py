"""A spec and its tests: what the compiler made of them, beside what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from cm2dsl import ir, nodes
from cm2dsl.compiler import analyse
from cm2dsl.emit.reward import emit_reward
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.instance import Check, load_checks
from cm2dsl.source import Span


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """An item of a task, beside what it was written as.

    `name` is its full name; `span` its name where it stands in the task, `expr` its check, and
    `after` the places of what it comes after. `use` is the use of the template that it is made
    from, and `given` the template's parameters as they are written there.
    """

    name: str
    item: ir.Item
    span: Span
    expr: nodes.Expr | None
    after: tuple[Span, ...]
    use: Span | None = None
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class WrittenTest:
    """A `test` block, beside what it was written as. `spec` is the file as messages name it."""

    block: ir.Test
    node: nodes.Test
    spec: str

    @property
    def task_id(self) -> str:
        """The task, with its row where it has one: `cancel_refused/C002`."""
        return self.block.task + (f"/{self.block.row}" if self.block.row is not None else "")

    @property
    def place(self) -> str:
        span = self.node.name.span
        return f"{span.source.name}:{span.line}:{span.column}"

    @property
    def expectations(
        self,
    ) -> Iterator[tuple[ir.ItemExpectation | ir.RewardExpectation, Span]]:
        """What is expected, each with its place."""
        kinds = (nodes.ExpectItem, nodes.ExpectReward)
        written = [part.span for part in self.node.parts if isinstance(part, kinds)]
        return zip(self.block.expect, written, strict=True)

    @property
    def judged(self) -> Iterator[tuple[ir.ItemExpectation, Span]]:
        """The judge's verdicts, each with its place."""
        written = [part.span for part in self.node.parts if isinstance(part, nodes.Judged)]
        return zip(self.block.judged, written, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A task, beside what it was written as: the places of its name and of its turns' names."""

    task: ir.Task
    span: Span
    items: Mapping[str, Written]
    turns: tuple[Span, ...]
    row: str
    """The name that the spec gives a row; empty without rows."""

    @property
    def scopes(self) -> list[tuple[str, Sequence[ir.Item]]]:
        named = [(turn.name, turn.items) for turn in self.task.turns]
        return [*named, (DIALOGUE, self.task.items)]


@dataclass(frozen=True, eq=False)
class Subject:
    """A spec under test. `read` has the files that it names, as they were compiled."""

    name: str
    read: Mapping[str, bytes]
    spec: ir.Spec
    tasks: Mapping[str, Task]
    tests: tuple[WrittenTest, ...]

    @cached_property
    def checks(self) -> Mapping[str, Check]:
        """The checks of the tasks that have a test, as reward.py has them."""
        tested = {test.task for test in self.spec.tests}
        tasks = tuple(task for task in self.spec.tasks if task.name in tested)
        return load_checks(emit_reward(replace(self.spec, tasks=tasks)), self.name)


def read_subject(path: Path) -> Subject | None:
    """A file as it is tested; None for a library. Raises CompileError."""
    found = analyse(path)
    if found.compiled is None:
        return None
    spec = found.compiled.spec
    name = found.file.source.name
    templates = {
        one.name.text: one
        for file in (found.file, *found.imported)
        for one in file.statements
        if isinstance(one, nodes.Template)
    }
    tasks = {task.name: task for task in spec.tasks}
    written = [one for one in found.file.statements if isinstance(one, nodes.Test)]
    return Subject(
        name=name,
        read=found.compiled.read,
        spec=spec,
        tasks={
            one.name.text: _task(one, tasks[one.name.text], templates)
            for one in found.file.statements
            if isinstance(one, nodes.Task)
        },
        tests=tuple(
            WrittenTest(block, node, name) for block, node in zip(spec.tests, written, strict=True)
        ),
    )


def _task(node: nodes.Task, task: ir.Task, templates: Mapping[str, nodes.Template]) -> Task:
    turns = [part for part in node.parts if isinstance(part, nodes.Turn)]
    scopes = [(turn.name, turn.items) for turn in task.turns] + [(DIALOGUE, task.items)]
    parts: list[tuple[object, ...]] = [*(turn.parts for turn in turns), node.parts]
    items: dict[str, Written] = {}
    for (scope, lowered), inside in zip(scopes, parts, strict=True):
        own = [part for part in inside if isinstance(part, nodes.Item | nodes.Use)]
        for part, item in zip(own, lowered, strict=True):
            name = f"{scope}.{item.name}"
            if isinstance(part, nodes.Item):
                after = _after(part.modifiers, scope, {})
                items[name] = Written(name, item, part.name.span, _expr(part.entries), after)
            else:
                items[name] = _used(name, item, part, templates[part.template.text])
    row = node.each.row.text if node.each is not None else ""
    return Task(task, node.name.span, items, tuple(turn.name.span for turn in turns), row)


def _used(name: str, item: ir.Item, use: nodes.Use, template: nodes.Template) -> Written:
    given = {
        param.text: _text(argument.span)
        for param, argument in zip(template.params, use.arguments, strict=True)
    }
    span = use.alias.span if use.alias is not None else use.template.span
    scope = name.partition(".")[0]
    names = {
        param.text: ".".join(map(str, argument.path))
        for param, argument in zip(template.params, use.arguments, strict=True)
        if isinstance(argument, nodes.Reference)
    }
    after = _after(use.modifiers, scope, {}) or _after(template.modifiers, scope, names)
    return Written(name, item, span, _expr(template.entries), after, use.span, given)


def _expr(entries: Sequence[nodes.Entry]) -> nodes.Expr | None:
    return next((entry.expr for entry in entries if isinstance(entry, nodes.Check)), None)


def _after(
    modifiers: Sequence[nodes.Modifier], scope: str, given: Mapping[str, str]
) -> tuple[Span, ...]:
    """The places of what an item comes after, each item once, in the order of `ir.Item.after`."""
    found: dict[str, Span] = {}
    for ref in (ref for one in modifiers for ref in one.refs):
        name = given.get(ref.text, ref.text)
        found.setdefault(name if "." in name else f"{scope}.{name}", ref.span)
    return tuple(found.values())


def _text(span: Span) -> str:
    return span.source.text[span.start : span.stop]
