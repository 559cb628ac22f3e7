"""The compiler of .cm2: checklist rewards in, bundles out.

    compile_file(path)            a spec's IR and the files it read; raises CompileError
    bundle_files(compiled)        the files of its bundle, by name
    write_bundle(compiled, dir)   the bundle on disk, whole or not at all
    read_bundle(dir)              the files of a bundle, verified; raises BundleError
    render(diagnostic)            a fault as text
    ir.Spec                       what a compiled spec means

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cm2dsl import ir
    from cm2dsl.compiler import Compiled, compile_file
    from cm2dsl.diagnostic import CompileError, Diagnostic, render
    from cm2dsl.emit.bundle import BundleError, bundle_files, read_bundle, write_bundle

__all__ = [
    "BundleError",
    "CompileError",
    "Compiled",
    "Diagnostic",
    "bundle_files",
    "compile_file",
    "ir",
    "read_bundle",
    "render",
    "write_bundle",
]

_HOMES = {
    "BundleError": "emit.bundle",
    "CompileError": "diagnostic",
    "Compiled": "compiler",
    "Diagnostic": "diagnostic",
    "bundle_files": "emit.bundle",
    "compile_file": "compiler",
    "read_bundle": "emit.bundle",
    "render": "diagnostic",
    "write_bundle": "emit.bundle",
}


def __getattr__(name: str) -> Any:
    if name == "ir":
        return import_module("cm2dsl.ir")
    if name not in _HOMES:
        raise AttributeError(f"module `cm2dsl` has no attribute `{name}`")
    return getattr(import_module(f"cm2dsl.{_HOMES[name]}"), name)
