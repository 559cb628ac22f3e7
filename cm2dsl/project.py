"""The `[tool.cm2]` table of the nearest pyproject.toml."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from cm2dsl.nearest import nearest

FILE = "pyproject.toml"
KEYS = ("exclude", "lint")
ANY = "**"


class Project(Struct, frozen=True, dict=True):
    """What a project says to all commands. `lint` is the table of that name, unchecked.

    `path` is the file that says it, None where there is none.
    """

    exclude: tuple[str, ...] = ()
    lint: Any = None
    path: Path | None = None

    @cached_property
    def _patterns(self) -> list[tuple[str, ...]]:
        return [_pattern(text) for text in self.exclude]

    def excludes(self, parts: Sequence[str]) -> bool:
        """Whether a file or folder is left out; `parts` are its names from the project's folder."""
        return any(_matches(pattern, parts) for pattern in self._patterns)


def read_project(start: Path) -> Project:
    """What is said for a file or folder: by the first pyproject.toml with such a table, upwards.

    Raises click.UsageError where the table is not what it should be, or a pyproject.toml cannot be
    read.
    """
    for folder in _upwards(start):
        path = folder / FILE
        if not os.path.lexists(path):
            continue
        table = _table(path)
        if table is not None:
            return _checked(table, path)
    return Project()


def _upwards(start: Path) -> list[Path]:
    try:
        resolved = start.resolve()
        folder = resolved if start.is_dir() else resolved.parent
    except (OSError, RuntimeError) as error:  # a circle of links; a folder that is gone
        reason = (getattr(error, "strerror", None) or "its links lead in a circle").lower()
        raise click.UsageError(f"cannot read `{start}`: {reason}") from None
    return [folder, *folder.parents]


def _table(path: Path) -> Any:
    """The `[tool.cm2]` of a file, None where it has none."""
    import tomllib  # not needed where there is no such file

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise click.UsageError(f"`{path}` is not a file: cm2c looks for settings there")
        table: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        raise click.UsageError(f"{path}: cannot be read: {reason}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: cannot be read: {error}") from None
    for name in ("tool", "cm2"):
        table = table.get(name) if isinstance(table, dict) else None
    return table


def _checked(table: Any, path: Path) -> Project:
    place = f"{path}: `tool.cm2`"
    if not isinstance(table, dict):
        raise click.UsageError(f"{place} is no table: write `[tool.cm2]`")
    for key in table:
        if key not in KEYS:
            near = nearest(key, KEYS)
            help = f"did you mean `{near}`?" if near else f"there is {', '.join(KEYS)}"
            raise click.UsageError(f"{place} has no setting `{key}`: {help}")
    exclude = table.get("exclude", [])
    if not isinstance(exclude, list) or not all(map(_is_pattern, exclude)):
        help = 'is a list of names and patterns below its folder, such as ["drafts", "old/*.cm2"]'
        raise click.UsageError(f"{place}: `exclude` {help}")
    return Project(tuple(exclude), table.get("lint"), path)


def _is_pattern(text: Any) -> bool:
    return isinstance(text, str) and bool(_names(text)) and ".." not in _names(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split("/") if name not in ("", "."))


def _pattern(text: str) -> tuple[str, ...]:
    """The parts of a pattern; one without `/` is meant wherever it is found."""
    rooted = "/" in text.rstrip("/")
    return _names(text) if rooted else (ANY, *_names(text))


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == ANY:
        return any(_matches(pattern[1:], parts[at:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(pattern[1:], parts[1:])
