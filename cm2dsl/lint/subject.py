"""The spec that rules look at: as it was written, and as it was compiled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cm2dsl import ir, nodes
from cm2dsl.compiler import analyse
from cm2dsl.lower.order import DIALOGUE
from cm2dsl.source import Source

Criterion = nodes.Item | nodes.Template


@dataclass(frozen=True)
class Placed:
    """An item of a compiled task with the node that it was written as, in its turn.

    `scope` is the turn's name, or that of the task scope. The node is a `Use` for a template's.
    """

    task: ir.Task
    scope: str
    item: ir.Item
    node: nodes.Item | nodes.Use


@dataclass(frozen=True)
class Subject:
    """One file. `spec` is None for a library of templates."""

    source: Source
    file: nodes.File
    imported: tuple[nodes.File, ...]
    spec: ir.Spec | None

    @classmethod
    def read(cls, path: Path, shown: str | None = None) -> Subject:
        """Raises CompileError where the file does not compile."""
        found = analyse(path, shown)
        spec = found.compiled.spec if found.compiled is not None else None
        return cls(found.file.source, found.file, found.imported, spec)

    @property
    def tasks(self) -> list[nodes.Task]:
        return [one for one in self.file.statements if isinstance(one, nodes.Task)]

    @property
    def templates(self) -> list[nodes.Template]:
        return [one for one in self.file.statements if isinstance(one, nodes.Template)]

    @cached_property
    def uses(self) -> list[nodes.Use]:
        return [part for _, _, part in self._parts() if isinstance(part, nodes.Use)]

    def criteria(self) -> Iterator[Criterion]:
        """Every item and template that is written in this file, once."""
        yield from self.templates
        for _, _, part in self._parts():
            if isinstance(part, nodes.Item):
                yield part

    def said(self, *words: str) -> Iterator[tuple[Criterion, nodes.Said]]:
        """The texts of criteria that are said to a judge: `ask`, `pass`, `fail`."""
        wanted = words or ("ask", "pass", "fail")
        for criterion in self.criteria():
            for entry in criterion.entries:
                if isinstance(entry, nodes.Said) and entry.word in wanted:
                    yield criterion, entry

    def constraints(self) -> Iterator[nodes.Constraint]:
        """Every constraint of every check that is written in this file."""
        for criterion in self.criteria():
            for entry in criterion.entries:
                if isinstance(entry, nodes.Check):
                    yield from _constraints(entry.expr)

    def placed(self) -> Iterator[Placed]:
        """Every item of every task, with what it was written as."""
        tasks = {task.name: task for task in self.spec.tasks} if self.spec is not None else {}
        for node, scope, part in self._parts():
            task = tasks.get(node.name.text)
            if task is None:
                continue
            name = _name(part)
            scopes = {turn.name: turn.items for turn in task.turns} | {DIALOGUE: task.items}
            for item in scopes.get(scope, ()):
                if item.name == name:
                    yield Placed(task, scope, item, part)

    def _parts(self) -> Iterator[tuple[nodes.Task, str, nodes.Item | nodes.Use]]:
        for task in self.tasks:
            for part in task.parts:
                if isinstance(part, nodes.Turn):
                    for inner in part.parts:
                        if isinstance(inner, nodes.Item | nodes.Use):
                            yield task, part.name.text, inner
                elif isinstance(part, nodes.Item | nodes.Use):
                    yield task, DIALOGUE, part


def _name(part: nodes.Item | nodes.Use) -> str:
    if isinstance(part, nodes.Item):
        return part.name.text
    return part.alias.text if part.alias is not None else part.template.text


def _constraints(node: object) -> Iterator[nodes.Constraint]:
    """All constraints in a part of a check, however deep."""
    if isinstance(node, nodes.Constraint):
        yield node
    elif isinstance(node, tuple):
        for one in node:
            yield from _constraints(one)
    else:
        for name in getattr(node, "__struct_fields__", ()):
            yield from _constraints(getattr(node, name))


def words_of(text: nodes.String) -> str:
    """The text of a string, with its references as they are written."""
    return "".join(
        part if isinstance(part, str) else "{" + ".".join(map(str, part.path)) + "}"
        for part in text.parts
    )
