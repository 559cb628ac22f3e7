"""The .cm2 files that a command line names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click


def find_specs(paths: Iterable[Path]) -> list[Path]:
    """The files, and all .cm2 files in the folders, each once; `-` stays as it is.

    Raises click.UsageError for a path that is not there.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(sorted(path.rglob("*.cm2")))
        elif path.exists() or str(path) == "-":
            found[path] = None
        else:
            raise click.UsageError(f"there is no file or folder `{path}`")
    if not found:
        raise click.UsageError("there is no .cm2 file in the folder")
    return list(found)
