"""`cm2c lint`."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cm2dsl.cache import Cache, cache_option
from cm2dsl.diagnostic import HIDDEN, CompileError, Diagnostic
from cm2dsl.lint import complete
from cm2dsl.lint.config import read_config
from cm2dsl.lint.kept import Findings, found_again, kept
from cm2dsl.lint.output import format_option, report
from cm2dsl.report.words import counted
from cm2dsl.specs import find_specs
from cm2dsl.watch import Watchable
from cm2dsl.write import write_beside

if TYPE_CHECKING:
    from cm2dsl.lint.linter import Linter

FOUND = 1
FAULTS = 2


@click.command("lint", cls=Watchable, alone=("fix", "update_baseline", "reason"))
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--select",
    multiple=True,
    metavar="CODES",
    shell_complete=complete.rules,
    help="Only these rules or families: L2.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CODES",
    shell_complete=complete.rules,
    help="Not these rules or families.",
)
@click.option("--fix", is_flag=True, help="Mend what can be mended without changing a reward.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix: mend the rest too.")
@format_option
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Show only what is not in this file.",
)
@click.option("--update-baseline", is_flag=True, help="Write what is found into the baseline.")
@click.option(
    "--add-suppressions",
    "reason",
    metavar="REASON",
    help="Allow what is found with comments that give this reason.",
)
@cache_option
def command(
    paths: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    fix: bool,
    unsafe_fixes: bool,
    form: str,
    baseline: Path | None,
    update_baseline: bool,
    reason: str | None,
    cache: Cache,
) -> None:
    """Look for what compiles and still should not be rewarded.

    `select` and `ignore` may stand in the table [tool.cm2.lint] of a pyproject.toml; --select takes
    the place of the first, --ignore adds to the second. With --baseline, --fix leaves alone what
    the baseline knows.

    Exit codes: 0 nothing found, 1 something found, 2 a file does not compile, or the command line
    asks for what cannot be done.
    """
    _refuse_what_excludes_each_other(fix, unsafe_fixes, baseline, update_baseline, reason)
    specs = find_specs(paths)
    config = read_config(paths[0])
    known = _known(baseline, update_baseline)
    settings = (select or config.select, (*ignore, *config.ignore), config.budget)

    @functools.cache
    def linter() -> Linter:
        # the rules are not needed where nothing has changed
        from cm2dsl.lint.linter import Linter, UnknownRule

        try:
            return Linter(*settings)
        except UnknownRule as error:
            if error.code in (*config.select, *config.ignore):
                raise click.UsageError(f"{config.path}: {error.message}") from None
            raise

    found: list[Diagnostic] = []
    faults: dict[Diagnostic, None] = {}  # two specs may import the same faulty one
    for path in specs:
        try:
            if fix:
                found += linter().mend(path, unsafe_fixes, known)
            elif reason is not None:
                found += linter().allow(path, reason)
            else:
                found += _found(path, linter, ("lint", str(path), repr(settings)), cache)
        except CompileError as error:
            faults |= dict.fromkeys(error.diagnostics)
    if baseline is not None and update_baseline:
        _update(baseline, found, faults)
        found = []
    elif known:
        from cm2dsl.lint.baseline import without_known

        found = without_known(found, known)
    if not update_baseline or faults:
        report(sorted([*faults, *found], key=lambda one: one.order), form)
    if faults:
        sys.exit(FAULTS)
    if found:
        sys.exit(FOUND)


def _found(
    path: Path, linter: Callable[[], Linter], key: tuple[str, ...], cache: Cache
) -> list[Diagnostic]:
    """What is found in a file: what was found before, where nothing has changed."""
    before = cache.get(path, key, Findings)
    if before is not None:
        with suppress(OSError):
            return found_again(before, path)
    analysed, found = linter().look(path)
    findings = None if analysed.through_link else kept(found, path)
    if findings is not None:
        cache.put(path, key, analysed.read, findings)
    return found


def _refuse_what_excludes_each_other(
    fix: bool, unsafe: bool, baseline: Path | None, update: bool, reason: str | None
) -> None:
    if update and baseline is None:
        raise click.UsageError("--update-baseline needs to know where: add --baseline FILE")
    if unsafe and not fix:
        raise click.UsageError("--unsafe-fixes goes with --fix")
    if reason is None:
        return
    if fix or baseline is not None:
        raise click.UsageError("--add-suppressions goes without --fix and --baseline")
    if not reason.strip() or "\n" in reason or reason.translate(HIDDEN) != reason:
        raise click.UsageError("--add-suppressions wants a reason, in one line")


def _known(baseline: Path | None, update: bool) -> frozenset[str]:
    """What a baseline knows. One that is to be written may be missing, but nothing else may be in
    its place.
    """
    if baseline is None or (update and not os.path.lexists(baseline)):
        return frozenset()
    from cm2dsl.lint.baseline import read_baseline

    known = read_baseline(baseline)
    return frozenset() if update else known


def _update(baseline: Path, found: Sequence[Diagnostic], faults: Collection[Diagnostic]) -> None:
    """Write a baseline, unless a file's findings are not known because it does not compile."""
    from cm2dsl.lint.baseline import baseline_text

    if faults:
        click.echo(f"{baseline} is left as it was: correct these faults first", err=True)
        return
    write_beside(baseline, baseline_text(found))
    click.echo(f"{counted(len(found), 'finding')} in {baseline}", err=True)
