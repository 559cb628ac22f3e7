"""The spec that rules look at: as it was written, and as it was compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cm2dsl import ir, nodes
from cm2dsl.compiler import Analysed, analyse
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.budget import Budget
from cm2dsl.lint.cost import Cost, cost_of
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lower.anchors import Recordings
from cm2dsl.source import Source, Span
from cm2dsl.walk import walk

if TYPE_CHECKING:
    from cm2dsl.floor.earn import Floor

Criterion = nodes.Item | nodes.Template


class Placed(Struct, frozen=True):
    """An item of a compiled task with the node that it was written as, in its turn.

    `scope` is the turn's name, or that of the task scope; `items` are all of that scope. The node
    is a `Use` for a template's.
    """

    task: ir.Task
    scope: str
    item: ir.Item
    items: tuple[ir.Item, ...]
    node: nodes.Item | nodes.Use

    @property
    def span(self) -> Span:
        """Where it is named: the item's name, or that of the template it uses."""
        node = self.node
        return node.name.span if isinstance(node, nodes.Item) else node.template.span

    def after_span(self, name: str) -> Span:
        """Where its `after` says a full name (`turn.item`); the whole where a template says it."""
        for modifier in self.node.modifiers:
            for ref in modifier.refs:
                turn = ref.turn.text if ref.turn is not None else self.scope
                if f"{turn}.{ref.item.text}" == name:
                    return ref.span
        return self.node.span


class Subject(Struct, frozen=True, dict=True):
    """One file. `spec` is None for a library of templates.

    `recordings` are those that its tasks name, by file; `budget` is what the project lets a rollout
    cost, and policies earn that have learnt nothing.
    """

    source: Source
    file: nodes.File
    imported: tuple[nodes.File, ...]
    spec: ir.Spec | None
    recordings: Mapping[str, Recordings] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def read(cls, path: Path, shown: str | None = None, budget: Budget | None = None) -> Subject:
        """Raises CompileError where the file does not compile."""
        return cls.of(analyse(path, shown), budget)

    @classmethod
    def of(cls, found: Analysed, budget: Budget | None = None) -> Subject:
        """A file that was compiled already."""
        spec = found.compiled.spec if found.compiled is not None else None
        file, imported, recordings = found.file, found.imported, found.recordings
        return cls(file.source, file, imported, spec, recordings, budget or Budget())

    @property
    def tasks(self) -> list[nodes.Task]:
        return [one for one in self.file.statements if isinstance(one, nodes.Task)]

    @property
    def templates(self) -> list[nodes.Template]:
        return [one for one in self.file.statements if isinstance(one, nodes.Template)]

    @cached_property
    def uses(self) -> list[nodes.Use]:
        return [part for _, _, part in self._parts if isinstance(part, nodes.Use)]

    def criteria(self) -> Iterator[Criterion]:
        """Every item and template that is written in this file, once."""
        yield from self.templates
        for _, _, part in self._parts:
            if isinstance(part, nodes.Item):
                yield part

    def said(self, *words: str) -> Iterator[tuple[Criterion, nodes.Said]]:
        """The texts of criteria that are said to a judge: `ask`, `pass`, `fail`."""
        wanted = words or ("ask", "pass", "fail")
        for criterion in self.criteria():
            for entry in criterion.entries:
                if isinstance(entry, nodes.Said) and entry.word in wanted:
                    yield criterion, entry

    def placed(self) -> tuple[Placed, ...]:
        """Every item of every task, with what it was written as, in the order of the text."""
        return self._placed

    @cached_property
    def _placed(self) -> tuple[Placed, ...]:
        found = {
            (task.name, scope, item.name): (task, items, item)
            for task in (self.spec.tasks if self.spec is not None else ())
            for scope, items in scopes_of(task).items()
            for item in items
        }
        placed = []
        for node, scope, part in self._parts:
            task, items, item = found[node.name.text, scope, _name(part)]
            placed.append(Placed(task, scope, item, items, part))
        return tuple(placed)

    @cached_property
    def floors(self) -> Mapping[str, Floor]:
        """What policies that have learnt nothing earn, by task; of each, some rows are tried."""
        from cm2dsl.floor.earn import floors

        if self.spec is None:
            return {}
        dialogues = {name: one.dialogues for name, one in self.recordings.items()}
        return {one.task.name: one for one in floors(self.spec, dialogues)}

    @cached_property
    def costs(self) -> dict[str, Cost]:
        """What the judging of a rollout takes, by task."""
        if self.spec is None:
            return {}
        return {
            task.name: cost_of(self.spec, task, self.recordings.get(task.reference or ""))
            for task in self.spec.tasks
        }

    @property
    def compiled_tasks(self) -> list[tuple[nodes.Task, ir.Task]]:
        """Every task as it was written and as it was compiled."""
        tasks = {task.name: task for task in self.spec.tasks} if self.spec is not None else {}
        return [(node, tasks[node.name.text]) for node in self.tasks if node.name.text in tasks]

    @cached_property
    def _parts(self) -> tuple[tuple[nodes.Task, str, nodes.Item | nodes.Use], ...]:
        """What items are written as: the task's node, the scope's name, and the item's own node."""
        found: list[tuple[nodes.Task, str, nodes.Item | nodes.Use]] = []
        for task in self.tasks:
            for part in task.parts:
                if isinstance(part, nodes.Turn):
                    inner = (one for one in part.parts if not isinstance(one, nodes.User))
                    found += ((task, part.name.text, one) for one in inner)
                elif isinstance(part, nodes.Item | nodes.Use):
                    found.append((task, DIALOGUE, part))
        return tuple(found)


def _name(part: nodes.Item | nodes.Use) -> str:
    if isinstance(part, nodes.Item):
        return part.name.text
    return part.alias.text if part.alias is not None else part.template.text


def items_of(task: nodes.Task) -> Iterator[nodes.Item]:
    """The items that are written in a task itself."""
    for part in task.parts:
        if isinstance(part, nodes.Item):
            yield part
        elif isinstance(part, nodes.Turn):
            yield from (one for one in part.parts if isinstance(one, nodes.Item))


def constraints_of(criterion: Criterion) -> Iterator[nodes.Constraint]:
    """Every constraint of the checks of an item or a template."""
    for entry in criterion.entries:
        if isinstance(entry, nodes.Check):
            yield from walk(entry.expr, nodes.Constraint)


def words_of(text: nodes.String) -> str:
    """The text of a string, with its references as they are written."""
    return "".join(
        part if isinstance(part, str) else "{" + ".".join(map(str, part.path)) + "}"
        for part in text.parts
    )
