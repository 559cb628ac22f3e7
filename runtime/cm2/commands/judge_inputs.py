"""What commands that try judges read: dialogues in any format, and settings without a cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from cm2.bundle import Bundle
from cm2.commands.score_faults import fail
from cm2.commands.score_rejects import Rejects
from cm2.trajectory import Trajectory

FORMATS = ("cm2", "openai", "tau2", "tau1", "bfcl", "sharegpt")


def dialogue_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options, for a command that takes `form` and `task`."""
    form = click.option(
        "--format",
        "form",
        type=click.Choice(FORMATS),
        default="cm2",
        show_default=True,
        help="What the dialogues are written in.",
    )
    task = click.option("--task", default="", help="The task of dialogues that name none.")
    return form(task(command))


def read_or_exit(
    bundle: Bundle, dialogues: tuple[Path, ...], form: str, task: str
) -> list[Trajectory]:
    """The dialogues; says which cannot be read, and exits where none can. Raises OSError."""
    from cm2.calibrate.dialogues import read_dialogues

    found, rejects = read_dialogues(bundle, dialogues, form, task)
    shown = Rejects()
    shown.take(rejects)
    for line in shown.lines(len(rejects)):
        click.echo(line, err=True)
    if not found:
        fail("no dialogue can be read", f"they were read in the format `{form}`")
    return found


def without_cache(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a judge that asks anew, those of engines inside others too."""
    return {
        key: without_cache(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key != "cache"
    }
