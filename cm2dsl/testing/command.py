"""`cm2c test`."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from cm2dsl.diagnostic import CompileError, Diagnostic, render
from cm2dsl.report.option import with_format
from cm2dsl.report.say import give, say
from cm2dsl.specs import find_specs
from cm2dsl.testing.report import Report, count, overall, report_on
from cm2dsl.testing.select import Matches, SelectError, matcher
from cm2dsl.testing.subject import read_subject
from cm2dsl.watch import Watchable

FAILED = 1
FAULTS = 2
FORMATS = ("text", "junit", "json")


class Percent(click.FloatRange):
    """A number in a range; `nan` is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"`{value}` is no number from {self.min} to {self.max}", param, ctx)
        return number


@click.command("test", cls=Watchable)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-k",
    "expression",
    metavar="EXPR",
    help='Only tests whose name, task, row or file has this in it: -k "refused and not C002".',
)
@click.option(
    "--min-coverage",
    type=Percent(0, 100),
    metavar="PERCENT",
    help="Exit code 1 where less of the specs is covered.",
)
@with_format(FORMATS)
@click.option("-v", "--verbose", is_flag=True, help="Name every test, and all that is not covered.")
def command(
    paths: tuple[Path, ...],
    expression: str | None,
    min_coverage: float | None,
    form: str,
    verbose: bool,
) -> None:
    """Run the `test` blocks of specs, and say what they cover. No model is called.

    PATHS are .cm2 files or folders of them; without any, the folder you are in.

    Exit codes: 0 every test passes; 1 a test fails, or less is covered than --min-coverage; 2 a
    spec does not compile, there is no test to run, or the command line asks for what cannot be
    done.
    """
    code = run(paths or (Path(),), expression, min_coverage, form, verbose)
    sys.exit(code)


def run(
    paths: tuple[Path, ...],
    expression: str | None,
    min_coverage: float | None,
    form: str,
    verbose: bool,
) -> int:
    """Test once, print, and return the exit code. Raises click.UsageError."""
    selected = _selected(expression)
    reports: list[Report] = []
    faults: dict[Diagnostic, None] = {}  # two specs may import the same one
    for path in find_specs(paths):
        try:
            subject = read_subject(path)
        except CompileError as error:
            faults |= dict.fromkeys(error.diagnostics)
            continue
        if subject is not None:
            reports.append(report_on(subject, selected))
    if not faults and not any(report.results for report in reports):
        raise click.UsageError(_nothing(expression))
    _show(reports, list(faults), form, verbose)
    if faults:
        return FAULTS
    wrong = count(reports, "failed") + count(reports, "error")
    found = overall(reports).percent
    if min_coverage is not None and found < min_coverage:
        click.echo(f"coverage is {found:g}%, and should be {min_coverage:g}%", err=True)
        return FAILED
    return FAILED if wrong else 0


def _show(
    reports: Sequence[Report], faults: Sequence[Diagnostic], form: str, verbose: bool
) -> None:
    """Print; for people, what does not compile goes to standard error."""
    show = import_module(f"cm2dsl.testing.output.{form}").show
    if form != "text":
        give(show(reports, faults))
        return
    if reports:
        say(show(reports, verbose))
    if faults:
        click.echo("\n\n".join(map(render, faults)), err=True)


def _selected(expression: str | None) -> Matches | None:
    if expression is None:
        return None
    try:
        return matcher(expression)
    except SelectError as error:
        help = 'write parts of names with `and`, `or`, `not`: -k "refused and not C002"'
        raise click.UsageError(f"`-k {expression}`: {error}; {help}") from None


def _nothing(expression: str | None) -> str:
    if expression is not None:
        return f"no test is meant by `-k {expression}`: leave it out to see all of them with -v"
    return 'no spec here has a test: write `test "name" for TASK { … }` (docs/test.md)'
