"""`cm2 export`: a spec in somebody else's format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from cm2.exporters import ExportError, exporters
from cm2dsl.diagnostic import CompileError, suggest
from cm2dsl.emit.bundle import BundleError

USER_ERROR = 2


class Formats(click.Command):
    """Lists the formats below the help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Formats"):
            formatter.write_dl([(name, module.HELP) for name, module in exporters().items()])


@click.command(cls=Formats)
@click.argument("format", metavar="FORMAT")
@click.argument("spec", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; one that is there is replaced.",
)
def command(format: str, spec: Path, out: Path) -> None:
    """Write SPEC, a .cm2 file or a bundle, in FORMAT. What FORMAT cannot say is listed on stderr.

    Exit code 2: the input is not what it should be, and nothing was written.
    """
    known = exporters()
    if format not in known:
        _fail(f"there is no format `{format}`", suggest(format, known))
    try:
        made = known[format].write(spec)
    except CompileError as error:
        click.echo(str(error), err=True)
        raise SystemExit(USER_ERROR) from None
    except BundleError as error:
        _fail(str(error), None)
    except ExportError as error:
        _fail(error.message, error.help)
    for line in made.lost:
        click.echo(f"lost: {line}", err=True)
    try:
        _write(out, made.text)
    except OSError as error:
        reason = (error.strerror or "it cannot be written").lower()
        _fail(f"`{out}`: {reason}", "name another file with -o")


def _write(out: Path, text: str) -> None:
    """Write a file, whole or not at all. Raises OSError."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _fail(message: str, help: str | None) -> Any:
    click.echo(f"error: {message}", err=True)
    if help:
        click.echo(f"  = help: {help}", err=True)
    raise SystemExit(USER_ERROR)
