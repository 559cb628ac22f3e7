"""Opening the SPEC argument of a command."""

from __future__ import annotations

from pathlib import Path

import click

from cm2.bundle import Bundle, open_spec
from cm2dsl.diagnostic import CompileError
from cm2dsl.emit import MANIFEST
from cm2dsl.emit.bundle import BundleError

NAMED = 4
"""Specs of a folder that a help line names."""


def open_or_exit(spec: Path, allow_python: bool = False) -> Bundle:
    """The bundle; exits with code 2 and the faults where the spec has any."""
    try:
        return open_spec(spec, allow_python)
    except CompileError as error:
        click.echo(str(error), err=True)
    except BundleError as error:
        click.echo(f"error: {error}", err=True)
        if spec.is_dir() and not (spec / MANIFEST).exists():
            click.echo(f"  = help: {_instead(spec)}", err=True)
    raise SystemExit(2)


def spec_files(spec: Path, bundle: Bundle) -> list[Path]:
    """A spec that is a file, and all files that it was compiled from; none where it is a bundle."""
    if spec.is_dir():
        return []
    root = spec.resolve().parent
    return [spec, *(root / source.file for source in bundle.spec.sources)]


def _instead(folder: Path) -> str:
    """What to give in place of a folder that is no bundle."""
    inside = sorted(folder.iterdir())
    specs = [path for path in inside if path.suffix == ".cm2" and path.is_file()]
    found = specs or [path for path in inside if (path / MANIFEST).is_file()]
    if not found:
        return "give a .cm2 file, or the folder of a bundle that `cm2c compile` wrote"
    names = ", ".join(f"`{path}`" for path in found[:NAMED])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    what = "a spec" if specs else "a bundle"
    return f"give {what}; there is {names}{more}"
