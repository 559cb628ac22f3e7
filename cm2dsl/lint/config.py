"""The table `[tool.cm2.lint]` of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from msgspec import Struct, field

from cm2dsl.lint.budget import SETTINGS, SHARES, Budget
from cm2dsl.nearest import nearest
from cm2dsl.project import read_project

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
    """The settings for a file or folder. Raises click.UsageError where they are not what they
    should be.
    """
    project = read_project(start)
    if project.lint is None or project.path is None:
        return Config(path=project.path)
    return _checked(project.lint, project.path)


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
