"""The .cm2 files that a command line names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

SUFFIX = ".cm2"


def find_specs(paths: Iterable[Path]) -> list[Path]:
    """The files, and all .cm2 files in the folders, each once; `-` stays as it is.

    Raises click.UsageError for a path that is not there.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(specs_below(path))
        elif path.exists() or str(path) == "-":
            found[path] = None
        else:
            raise click.UsageError(f"there is no file or folder `{path}`")
    if not found:
        raise click.UsageError("there is no .cm2 file in the folder")
    return list(found)


def specs_below(folder: Path) -> list[Path]:
    """The .cm2 files in a folder and its folders, in order; links to folders are not followed."""
    found: list[str] = []
    waiting = [os.fspath(folder)]
    for each in waiting:
        with suppress(PermissionError), os.scandir(each) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.endswith(SUFFIX):
                    found.append(entry.path)
    return sorted(map(Path, found))
