"""Bundles as the runtime sees them: verified, with their checks ready to call."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from cm2dsl import ir
from cm2dsl.compiler import compile_file
from cm2dsl.emit.bundle import BundleError, read_bundle, read_spec, write_bundle
from cm2dsl.reward.instance import Check, Instance, instances, load_checks
from cm2dsl.reward.plan import Plan, plan_for


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    `path` is its folder and `files` where the spec's own files lie in it; `origin` is where the
    user has them, and `allow_python` whether backends among them may run. `checks` finds the
    functions of reward.py by the name that `ir.Item.check` gives; `prompts` are the judge's files.
    `plans` are kept by `cm2dsl.reward.plan`.
    """

    spec: ir.Spec
    path: Path
    files: Path
    origin: Path
    checks: Mapping[str, Check]
    prompts: Mapping[str, str]
    allow_python: bool = False
    _plans: dict[tuple[str, bool], Plan] = field(default_factory=dict, compare=False, repr=False)
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def by_id(self) -> Mapping[str, Instance]:
        """Every instance of the spec, by id."""
        return {instance.id: instance for instance in instances(self.spec)}

    def plan(self, instance: Instance, judged: bool) -> Plan:
        """How dialogues of an instance are scored, made once. `judged`: a judge decides `ask`s."""
        key = (instance.id, judged)
        if key not in self._plans:
            self._plans[key] = plan_for(instance, self.checks, judged)
        return self._plans[key]


def load(folder: Path) -> Bundle:
    """The bundle in a folder. Raises BundleError, naming the file, where a hash does not match."""
    contents = read_bundle(folder)
    return Bundle(
        spec=read_spec(folder, contents),
        path=folder,
        files=folder / "files",
        origin=folder / "files",
        # The file is the compiler's own output: its hash was just verified.
        checks=load_checks(contents["reward.py"], str(folder / "reward.py")),
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


def open_spec(path: Path, allow_python: bool = False) -> Bundle:
    """The bundle of a .cm2 file (compiled to a folder that lives as long as it), or in a folder.

    `allow_python`: backends among its files may run. Without it, only those that the user trusts.
    Raises CompileError and BundleError.
    """
    if path.is_dir():
        return replace(load(path), allow_python=allow_python)
    folder = tempfile.TemporaryDirectory(prefix="cm2-")
    bundle = compile_bundle(path, Path(folder.name) / path.stem)
    origin = path.resolve().parent
    return replace(bundle, origin=origin, allow_python=allow_python, _folder=folder)
