"""A spec with what compiling leaves behind: weights as written, tools as they are, recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2.bundle import load
from cm2.chat import read as read_chat
from cm2.trajectory import Trajectory
from cm2dsl import ir, nodes
from cm2dsl.compiler import Compiled, compile_file
from cm2dsl.diagnostic import Log
from cm2dsl.emit.bundle import BundleError
from cm2dsl.ir import DIALOGUE
from cm2dsl.jsonl import parse as parse_json
from cm2dsl.parse import parse
from cm2dsl.source import Source

Weights = Mapping[tuple[str, str, str], float]


@dataclass(frozen=True, slots=True)
class Written:
    """`weights` by (task, turn, item), as written: None of a bundle, which does not say.

    `tools` are the entries of the tools files. `recordings` are by the task that they name.
    """

    spec: ir.Spec
    weights: Weights | None
    tools: list[dict[str, Any]]
    recordings: Mapping[str, Sequence[Trajectory]]


def open_written(path: Path) -> Written:
    """A .cm2 file, or a bundle folder. Raises CompileError, BundleError, OSError."""
    if path.is_dir():
        bundle = load(path)
        return Written(
            bundle.spec, None, _schemas(bundle.spec), _recordings(bundle.spec, bundle.files)
        )
    compiled = compile_file(path)
    if compiled is None:
        raise BundleError(f"`{path}` is a library of templates: name a spec with a `domain`")
    sources = {
        name: _tree(path.parent / name, data)
        for name, data in compiled.read.items()
        if name.endswith(".cm2")
    }
    main = sources[path.name]
    return Written(
        compiled.spec,
        _weights(main, sources.values()),
        _tools(main, compiled),
        _recordings(compiled.spec, path.parent),
    )


def _tree(path: Path, data: bytes) -> nodes.File:
    """The syntax tree of a file that the compiler has read without fault."""
    file = parse(Source(path, path.name, data.decode("utf-8-sig")), Log())
    assert file is not None
    return file


def _recordings(spec: ir.Spec, folder: Path) -> dict[str, list[Trajectory]]:
    """The recordings of every task and row; those that name no task belong to all of their file."""
    files: dict[str, dict[str, list[Trajectory]]] = {}
    found: dict[str, list[Trajectory]] = {}
    for task in spec.tasks:
        if task.reference is None:
            continue
        if task.reference not in files:
            by_task = files[task.reference] = {}
            for trajectory in read_chat(folder / task.reference):
                by_task.setdefault(trajectory.task, []).append(trajectory)
        by_task = files[task.reference]
        ids = [f"{task.name}/{row.key}" for row in task.rows] if task.rows else [task.name]
        for id in ids:
            found[id] = [*by_task.get(id, ()), *by_task.get("", ())]
    return found


# --- tools ----------------------------------------------------------------------------------------


def _tools(main: nodes.File, compiled: Compiled) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for statement in main.statements:
        if isinstance(statement, nodes.FileStatement) and statement.word == "tools":
            name = "".join(part for part in statement.file.parts if isinstance(part, str))
            data = compiled.read.get(name)
            if data is None:  # a name that is written in another way than the file is called
                return _schemas(compiled.spec)
            value = parse_json(data)
            entries += value["tools"] if isinstance(value, dict) else value
    return entries


def _schemas(spec: ir.Spec) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                **({"x-effect": tool.effect} if tool.effect is not None else {}),
            },
        }
        for tool in spec.tools
    ]


# --- weights --------------------------------------------------------------------------------------


def _weights(main: nodes.File, every: Iterable[nodes.File]) -> Weights:
    templates = {
        statement.name.text: statement
        for file in every
        for statement in file.statements
        if isinstance(statement, nodes.Template)
    }
    found: dict[tuple[str, str, str], float] = {}
    for task in (each for each in main.statements if isinstance(each, nodes.Task)):
        scopes: list[tuple[str, Sequence[object]]] = [(DIALOGUE, task.parts)]
        scopes += [
            (part.name.text, part.parts) for part in task.parts if isinstance(part, nodes.Turn)
        ]
        for scope, parts in scopes:
            for part in parts:
                if isinstance(part, nodes.Item):
                    found[task.name.text, scope, part.name.text] = _weight(part.modifiers)
                elif isinstance(part, nodes.Use):
                    name = part.alias or part.template
                    own = {modifier.word for modifier in part.modifiers}
                    inherited = templates[part.template.text].modifiers
                    modifiers = [each for each in inherited if each.word not in own]
                    weight = _weight([*modifiers, *part.modifiers])
                    found[task.name.text, scope, name.text] = weight
    return found


def _weight(modifiers: Sequence[nodes.Modifier]) -> float:
    words = {modifier.word: modifier for modifier in modifiers}
    number = words["weight"].number if "weight" in words else None
    if number is not None and isinstance(number.value, int | float):
        return number.value
    return 0 if "veto" in words or "penalty" in words else 1
