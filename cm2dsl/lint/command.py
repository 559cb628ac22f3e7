"""`cm2c lint` and `cm2c explain`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from cm2dsl.diagnostic import CompileError, render
from cm2dsl.lint.baseline import baseline_text, without_known
from cm2dsl.lint.config import read_config
from cm2dsl.lint.fix import apply
from cm2dsl.lint.pages import page
from cm2dsl.lint.registry import all_rules, rule_of
from cm2dsl.lint.rule import Rule
from cm2dsl.lint.run import Found, lint
from cm2dsl.lint.subject import Subject
from cm2dsl.specs import find_specs
from cm2dsl.write import write_beside

FOUND = 1
FAULTS = 2
FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit")
ROUNDS = 10
"""Times that a file is mended and read again, at most."""


@click.command("lint")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--select", multiple=True, metavar="CODES", help="Only these rules or families: L2.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Not these rules or families.")
@click.option("--fix", is_flag=True, help="Mend what can be mended without changing a reward.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix: mend the rest too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Output.",
)
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Show only what is not in this file.",
)
@click.option("--update-baseline", is_flag=True, help="Write what is found into the baseline.")
def command(
    paths: tuple[Path, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    fix: bool,
    unsafe_fixes: bool,
    form: str,
    baseline: Path | None,
    update_baseline: bool,
) -> None:
    """Look for what compiles and still should not be rewarded.

    `select` and `ignore` may stand in the table [tool.cm2.lint] of a pyproject.toml; --select takes
    the place of the first, --ignore adds to the second.

    Exit codes: 0 nothing found, 1 something found, 2 a file does not compile, or the command line
    asks for what cannot be done.
    """
    if update_baseline and baseline is None:
        raise click.UsageError("--update-baseline needs to know where: add --baseline FILE")
    config = read_config(paths[0])
    rules = _chosen(select or config.select, (*ignore, *config.ignore))
    found: list[Found] = []
    faults: dict[str, None] = {}
    for path in find_specs(paths):
        try:
            found += _mended(path, rules, unsafe_fixes) if fix else lint(Subject.read(path), rules)
        except CompileError as error:
            faults |= dict.fromkeys(render(one) for one in error.diagnostics)
    if baseline is not None and update_baseline and not faults:
        write_beside(baseline, baseline_text(found))
        click.echo(f"{len(found)} finding{'s' if len(found) != 1 else ''} in {baseline}", err=True)
        return
    if baseline is not None:
        found = without_known(found, baseline)
    click.echo(import_module(f"cm2dsl.lint.output.{form}").show(found), nl=False)
    if faults:
        click.echo("\n\n".join(faults), err=True)
        sys.exit(FAULTS)
    if found:
        sys.exit(FOUND)


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


def _mended(path: Path, rules: Sequence[Rule], unsafe: bool) -> list[Found]:
    """Mend a file until nothing more can be; what is found then."""
    for _ in range(ROUNDS):
        subject = Subject.read(path)
        found = lint(subject, rules)
        fixes = [one.finding.fix for one in found if one.finding.fix is not None]
        text, count = apply(subject.source.text, [fix for fix in fixes if fix.safe or unsafe])
        if not count:
            break
        write_beside(path, text)
        click.echo(f"mended {path}: {count}", err=True)
    return found


@click.command("explain")
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Say what a rule is for, with examples; without CODE, list the rules."""
    if code is None:
        for rule in all_rules():
            click.echo(f"{rule.code}  {rule.name:24}  {rule.title}")
        return
    found = rule_of(code)
    if found is None:
        raise click.UsageError(f"there is no rule `{code}`: `cm2c explain` lists them")
    click.echo(page(found), nl=False)
