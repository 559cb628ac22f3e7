"""Bundles as the runtime sees them: verified, with their checks ready to call."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.emit.bundle import BundleError, read_bundle, write_bundle
from cm2dsl.scope import Scope

Check = Callable[[Scope, ir.Row | None], int | tuple[int, int]]
"""A function of reward.py: the steps after which it is true, or those and where it is false."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    `path` is its folder and `files` where the spec's own files lie in it. `checks` finds the
    functions of reward.py by the name that `ir.Item.check` gives; `prompts` are the judge's files.
    `plans` are kept by `cm2.plan`.
    """

    spec: ir.Spec
    path: Path
    files: Path
    checks: Mapping[str, Check]
    prompts: Mapping[str, str]
    plans: dict[tuple[str, bool], Any] = field(default_factory=dict, compare=False, repr=False)
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def by_id(self) -> Mapping[str, Instance]:
        """Every instance of the spec, by id."""
        return {instance.id: instance for instance in instances(self.spec)}


@dataclass(frozen=True, slots=True)
class Instance:
    """One thing to roll out or score: a task, and its row where it has rows.

    `id` is `task` or `task/row-key`, which is what a trajectory's `task` says.
    """

    id: str
    task: ir.Task
    row: ir.Row | None = None

    @property
    def split(self) -> ir.Split:
        return self.row.split if self.row is not None else "train"


def instances(spec: ir.Spec) -> list[Instance]:
    """Every instance of a spec, tasks and rows in the spec's order."""
    return [
        Instance(f"{task.name}/{row.key}" if row is not None else task.name, task, row)
        for task in spec.tasks
        for row in (task.rows if task.rows is not None else (None,))
    ]


def load(folder: Path) -> Bundle:
    """The bundle in a folder. Raises BundleError, naming the file, where a hash does not match."""
    contents = read_bundle(folder)
    namespace: dict[str, Any] = {}
    # The file is the compiler's own output: its hash was just verified.
    exec(compile(contents["reward.py"], str(folder / "reward.py"), "exec"), namespace)
    return Bundle(
        spec=ir.Spec.model_validate_json(contents["ir.json"]),
        path=folder,
        files=folder / "files",
        checks=namespace["CHECKS"],
        prompts={
            name: text.decode() for name, text in contents.items() if name.startswith("prompts/")
        },
    )


def compile_bundle(spec: Path, folder: Path) -> Bundle:
    """Compile a .cm2 file to `folder` and load it.

    Raises CompileError with the spec's faults, and BundleError where there is no spec to compile
    or `folder` holds something else.
    """
    compiled = compile_file(spec)
    if compiled is None:
        raise BundleError(f"`{spec}` is a library of templates: name a spec with a `domain`")
    write_bundle(compiled, folder)
    return load(folder)


def open_spec(path: Path) -> Bundle:
    """The bundle of a .cm2 file (compiled to a folder that lives as long as it), or in a folder.

    Raises CompileError and BundleError.
    """
    if path.is_dir():
        return load(path)
    folder = tempfile.TemporaryDirectory(prefix="cm2-")
    bundle = compile_bundle(path, Path(folder.name) / path.stem)
    return replace(bundle, _folder=folder)
