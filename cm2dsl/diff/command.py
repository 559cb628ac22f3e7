"""`cm2c diff`."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from cm2dsl.diagnostic import render
from cm2dsl.diff.report import Impact
from cm2dsl.diff.sources import FaultsError, opened, read
from cm2dsl.diff.specs import compare

FORMATS = ("text", "json", "markdown", "sh")
LEVELS = ("TEXT", "JUDGE", "REWARD")


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS, case_sensitive=False),
    help="Exit with 1 if the change reaches this level.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="`sh` is a script that confirms each counterexample with `cm2 credit`.",
)
def command(before: str, after: str, fail_on: str | None, form: str) -> None:
    """Say what changed from A to B for the reward, not for the text.

    A and B are specs, folders of specs, or `git:REV:path`. Levels: NONE, TEXT (nothing that a
    dialogue is worth), JUDGE (a judge is told something else), REWARD (some dialogue earns, or is
    credited, something else, or it is not known that none does).

    Exit codes: 0, 1 for a change of the level of --fail-on or above, 2 where A or B does not
    compile or is not there.
    """
    try:
        with opened(before) as old, opened(after) as new:
            specs = read(old, before), read(new, after)
    except FaultsError as faults:
        click.echo("\n\n".join(map(render, faults.diagnostics)), err=True)
        sys.exit(2)
    diff = compare(*specs, (before, after))
    click.echo(import_module(f"cm2dsl.diff.output.{form}").show(diff), nl=False)
    if fail_on is not None and diff.impact >= Impact[fail_on.upper()]:
        sys.exit(1)
