"""`cm2c lint`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import click

from cm2dsl.diagnostic import HIDDEN, CompileError, Diagnostic
from cm2dsl.lint.config import read_config
from cm2dsl.lint.output import format_option, report
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import Rule
from cm2dsl.lint.run import Found, lint
from cm2dsl.lint.subject import Subject
from cm2dsl.specs import find_specs
from cm2dsl.write import write_beside

FOUND = 1
FAULTS = 2
Read = Callable[[Path], Subject]
"""Reads a spec for the rules, with the project's settings."""

ROUNDS = 10
"""Times that a file is mended and read again, at most."""


@click.command("lint")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--select", multiple=True, metavar="CODES", help="Only these rules or families: L2.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Not these rules or families.")
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
) -> None:
    """Look for what compiles and still should not be rewarded.

    `select` and `ignore` may stand in the table [tool.cm2.lint] of a pyproject.toml; --select takes
    the place of the first, --ignore adds to the second.

    Exit codes: 0 nothing found, 1 something found, 2 a file does not compile, or the command line
    asks for what cannot be done.
    """
    _refuse_what_excludes_each_other(fix, unsafe_fixes, baseline, update_baseline, reason)
    config = read_config(paths[0])
    rules = _chosen(select or config.select, (*ignore, *config.ignore))
    read = partial(Subject.read, budget=config.budget)
    found: list[Diagnostic] = []
    faults: dict[Diagnostic, None] = {}  # two specs may import the same faulty one
    for path in find_specs(paths):
        try:
            if fix:
                findings = _mended(path, read, rules, unsafe_fixes)
            elif reason is not None:
                findings = _allowed(path, read, rules, reason)
            else:
                findings = lint(read(path), rules)
        except CompileError as error:
            faults |= dict.fromkeys(error.diagnostics)
        else:
            found += (one.diagnostic for one in findings)
    if baseline is not None and update_baseline:
        _update(baseline, found, faults)
        found = []
    elif baseline is not None:
        from cm2dsl.lint.baseline import without_known

        found = without_known(found, baseline)
    if not update_baseline or faults:
        report(sorted([*faults, *found], key=lambda one: one.order), form)
    if faults:
        sys.exit(FAULTS)
    if found:
        sys.exit(FOUND)


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


def _update(baseline: Path, found: Sequence[Diagnostic], faults: Collection[Diagnostic]) -> None:
    """Write a baseline, unless a file's findings are not known because it does not compile."""
    from cm2dsl.lint.baseline import baseline_text

    if faults:
        click.echo(f"{baseline} is left as it was: correct these faults first", err=True)
        return
    write_beside(baseline, baseline_text(found))
    click.echo(f"{len(found)} finding{'s' if len(found) != 1 else ''} in {baseline}", err=True)


def _chosen(select: Sequence[str], ignore: Sequence[str]) -> list[Rule]:
    """The rules that run. Raises click.UsageError for a code that no rule has."""

    def named(lists: Sequence[str]) -> list[str]:
        codes = [code.strip() for one in lists for code in one.split(",") if code.strip()]
        for code in codes:
            if not any(_is(rule, code) for rule in all_rules()):
                raise click.UsageError(f"there is no rule `{code}`: `cm2c explain` lists them")
        return codes

    wanted, unwanted = named(select), named(ignore)
    return [
        rule
        for rule in all_rules()
        if (not wanted or any(_is(rule, code) for code in wanted))
        and not any(_is(rule, code) for code in unwanted)
    ]


def _is(rule: Rule, code: str) -> bool:
    return rule.code.casefold().startswith(code.casefold()) or rule.name == code


def _mended(path: Path, read: Read, rules: Sequence[Rule], unsafe: bool) -> list[Found]:
    """Mend a file until nothing more can be; what is found then."""
    from cm2dsl.lint.fix import apply

    for _ in range(ROUNDS):
        subject = read(path)
        found = lint(subject, rules)
        fixes = [one.finding.fix for one in found if one.finding.fix is not None]
        text, count = apply(subject.source.text, [fix for fix in fixes if fix.safe or unsafe])
        if not count:
            break
        write_beside(path, text)
        click.echo(f"mended {path}: {count}", err=True)
    return found


def _allowed(path: Path, read: Read, rules: Sequence[Rule], reason: str) -> list[Found]:
    """Allow what is found in a file with comments; what is found then."""
    from cm2dsl.lint.allow import with_allowances

    subject = read(path)
    found = lint(subject, rules)
    ran = frozenset(rule.code for rule in rules)
    text, count = with_allowances(subject.source, found, ran, reason)
    if not count:
        return found
    write_beside(path, text)
    click.echo(f"allowed in {path}: {count}", err=True)
    return lint(read(path), rules)
