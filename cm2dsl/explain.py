"""`cm2c explain`: the page of a code."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from cm2dsl.codes import CODES, code_of
from cm2dsl.codes.code import Code
from cm2dsl.diagnostic import CompileError, Diagnostic, render
from cm2dsl.lint.complete import codes
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.pages import page, snippet
from cm2dsl.lint.registry import all_rules, rule_of
from cm2dsl.lint.run import lint
from cm2dsl.lint.subject import Subject
from cm2dsl.nearest import nearest

FAMILIES = {
    "E0": "syntax",
    "E1": "names",
    "E2": "types",
    "E3": "values and structure",
    "E4": "files",
    "L0": "allowances",
}
SPEC = "spec.cm2"
WIDTH = 100


@click.command("explain")
@click.argument("code", required=False, shell_complete=codes)
@click.option(
    "--cost",
    metavar="SPEC",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Say what judging rollouts of this spec takes.",
)
def command(code: str | None, cost: Path | None) -> None:
    """Say what a rule or an error is about, with examples; without CODE, list them all."""
    if cost is not None:
        _say_cost(code, cost)
        return
    if code is None:
        for one in CODES:
            click.echo(f"{one.code}  {one.title}")
        for rule in all_rules():
            click.echo(f"{rule.code}  {rule.name:24}  {rule.title}")
        return
    click.echo(page_of(code), nl=False)


def _say_cost(code: str | None, spec: Path) -> None:
    from cm2dsl.explain_cost import cost_text

    if code is not None:
        raise click.UsageError("--cost explains a spec, and CODE a rule: give one of them")
    try:
        click.echo(cost_text(spec))
    except CompileError as error:
        raise click.ClickException("\n\n".join(map(render, error.diagnostics))) from None


def page_of(code: str) -> str:
    """The page of an error or a rule, in Markdown. Raises click.UsageError if there is none."""
    fault = code_of(code)
    if fault is not None:
        return fault_page(fault)
    rule = rule_of(code)
    if rule is not None:
        return page(rule)
    known = [one.code for one in CODES]
    known += [name for one in all_rules() for name in (one.code, one.name)]
    near = nearest(code, known)
    help = f"did you mean `{near}`?" if near else "`cm2c explain` lists them"
    raise click.UsageError(f"there is no rule or error `{code}`: {help}")


def fault_page(code: Code) -> str:
    """The page of a code, with its example and what is said of it."""
    said = "\n\n".join(render(one) for one in diagnostics_of(code))
    parts = [
        f"# {code.code}",
        _set(f"Finds {code.title}. ({FAMILIES[code.code[:2]]}, {code.severity})"),
        _set(code.why),
        _set(code.do),
        "## Example",
        snippet(code.example),
    ]
    for name, text in code.files.items():
        encoding = "" if code.encoding == "utf-8" else f" in {code.encoding}"
        parts += [f"with `{name}`{encoding}:", f"```\n{text}```"]
    place = "" if code.example.startswith("cm2") else ", in the spec around it,"
    parts += [f"is{place} reported as:", f"```\n{said}\n```"]
    return "\n\n".join(parts) + "\n"


def _set(text: str) -> str:
    """A paragraph in lines."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def diagnostics_of(code: Code) -> list[Diagnostic]:
    """What compiler and lint say of a code's example."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unpack(folder)
        for file, text in code.files.items():
            (folder / file).write_text(text, encoding=code.encoding)
        (folder / SPEC).write_text(whole(code.example), encoding="utf-8")
        return list(_said(folder / SPEC))


def _said(spec: Path) -> Iterator[Diagnostic]:
    try:
        subject = Subject.read(spec, SPEC)
    except CompileError as error:
        yield from error.diagnostics
    else:
        yield from (one.diagnostic for one in lint(subject, ()))
