"""The `[tool.cm2.lint]` table of the nearest pyproject.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec import Struct, field

from cm2dsl.lint.budget import SETTINGS, SHARES, Budget
from cm2dsl.nearest import nearest

FILE = "pyproject.toml"
CODES = ("select", "ignore")
KEYS = (*CODES, *SETTINGS)


class Config(Struct, frozen=True):
    """Codes, families or names of rules to run, and not to run; no `select` is all of them.

    `budget` is what the judging of a rollout may cost, and what may be earned for nothing. `path`
    is the file that says all this.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    path: Path | None = None


def read_config(start: Path) -> Config:
    """The settings for a file or folder: of the first pyproject.toml with such a table, upwards.

    Raises click.UsageError where the table is not what it should be.
    """
    folder = start.resolve() if start.is_dir() else start.resolve().parent
    for place in (folder, *folder.parents):
        path = place / FILE
        if not path.is_file():
            continue
        import tomllib  # not needed where there is no such file

        try:
            whole = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise click.UsageError(f"{path}: cannot be read: {error}") from None
        table: Any = whole
        for name in ("tool", "cm2", "lint"):
            table = table.get(name) if isinstance(table, dict) else None
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
        if key in SHARES:
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
                raise click.UsageError(f"{place}: `{key}` is a number from 0 to 1, such as 0.2")
        elif key in SETTINGS and (type(value) is not int or value < 0):
            raise click.UsageError(f"{place}: `{key}` is a whole number from 0, such as 12")
        if key in CODES and not _is_texts(value):
            raise click.UsageError(f'{place}: `{key}` is a list of codes, such as ["L2", "L301"]')
    codes = {key: tuple(table[key]) for key in CODES if key in table}
    most = {key: value for key, value in table.items() if key in SETTINGS}
    return Config(**codes, budget=Budget.of(most), path=path)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
