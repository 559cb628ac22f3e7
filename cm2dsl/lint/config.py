"""The `[tool.cm2.lint]` table of the nearest pyproject.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cm2dsl.nearest import nearest

FILE = "pyproject.toml"
KEYS = ("select", "ignore")


@dataclass(frozen=True, slots=True)
class Config:
    """Codes, families or names of rules to run, and not to run; no `select` is all of them."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


def read_config(start: Path) -> Config:
    """The settings for a file or folder: of the first pyproject.toml with such a table, upwards.

    Raises click.UsageError where the table is not what it should be.
    """
    folder = start.resolve() if start.is_dir() else start.resolve().parent
    for place in (folder, *folder.parents):
        path = place / FILE
        if not path.is_file():
            continue
        try:
            whole = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise click.UsageError(f"{path}: cannot be read: {error}") from None
        table = whole.get("tool", {}).get("cm2", {}).get("lint")
        if table is not None:
            return _checked(table, path)
    return Config()


def _checked(table: Any, path: Path) -> Config:
    place = f"{path}: `tool.cm2.lint`"
    if not isinstance(table, dict):
        raise click.UsageError(f"{place} is no table: write `[tool.cm2.lint]`")
    for key, value in table.items():
        if key not in KEYS:
            near = nearest(key, KEYS)
            help = f"did you mean `{near}`?" if near else f"there is {', '.join(KEYS)}"
            raise click.UsageError(f"{place} has no setting `{key}`: {help}")
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise click.UsageError(f'{place}: `{key}` is a list of codes, such as ["L2", "L301"]')
    return Config(**{key: tuple(value) for key, value in table.items()})
