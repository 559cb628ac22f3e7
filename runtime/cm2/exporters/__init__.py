"""Specs in other people's formats. An exporter is a module of this folder, found by its name.

It has `HELP`, one line for `cm2 export --help`, and `write(path)`, which makes an Export of a spec
(a .cm2 file or a bundle) and raises ExportError where there is nothing to write, CompileError and
BundleError where there is no spec.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Export:
    """The text of the file, and what the spec says and the format does not, one sentence each."""

    text: str
    lost: tuple[str, ...] = ()


class ExportError(Exception):
    """A spec that the format has no place for. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"error: {message}\n  = help: {help}")
        self.message = message
        self.help = help


def exporters() -> dict[str, ModuleType]:
    """The exporters by the name of their format, which has hyphens where the module has none."""
    modules = {
        found.name: import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)
    }
    return {
        name.replace("_", "-"): module
        for name, module in sorted(modules.items())
        if hasattr(module, "HELP")
    }
