"""`cm2c fmt`."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from cm2dsl.diagnostic import Log, render
from cm2dsl.files import decode
from cm2dsl.fmt.layout import formatted
from cm2dsl.fmt.same import says_the_same
from cm2dsl.parse import parse
from cm2dsl.source import Source
from cm2dsl.specs import STDIN, find_specs
from cm2dsl.write import write_beside

WOULD_CHANGE = 1
FAULTS = 2


@click.command("fmt")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def command(paths: tuple[Path, ...], check: bool, diff: bool) -> None:
    """Lay out .cm2 files, or folders of them, in the one style; `-` is standard input.

    A file is written only if its new text says the same: the same tree, the same comments. Exit
    codes: 0 done, 1 a file would change (--check, --diff), 2 a file could not be read.
    """
    counts = {"changed": 0, "as it was": 0, "faulty": 0}
    for path in find_specs(paths, dash=True):
        raw = _read(path)
        source = _decoded(raw, path) if raw is not None else None
        text = _formatted(source) if source is not None else None
        if source is None or text is None:
            counts["faulty"] += 1
            continue
        changed = text.encode() != raw
        counts["changed" if changed else "as it was"] += 1
        if diff and changed:
            click.echo(_diff(source, text), nl=False)
        elif path == STDIN and not check:
            click.echo(text, nl=False)
        elif check and changed:
            click.echo(f"would change {source.name}")
        elif changed and not (check or diff):
            write_beside(path, text)
            click.echo(f"laid out {source.name}", err=True)
    if STDIN not in paths or counts["faulty"] or check:
        said = [f"{count} {what}" for what, count in counts.items() if count]
        click.echo(", ".join(said), err=True)
    _end(counts, check or diff)


def _end(counts: dict[str, int], only_looks: bool) -> None:
    if counts["faulty"]:
        sys.exit(FAULTS)
    if only_looks and counts["changed"]:
        sys.exit(WOULD_CHANGE)


def _read(path: Path) -> bytes | None:
    """The bytes of a file; None where it was said why there are none."""
    try:
        return sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        name = "standard input" if path == STDIN else f"`{path}`"
        click.echo(f"error: cannot read {name}: {reason}", err=True)
        return None


def _decoded(raw: bytes, path: Path) -> Source | None:
    log = Log()
    source = decode(raw, path, "standard input" if path == STDIN else str(path), log)
    for fault in log.diagnostics:
        click.echo(render(fault), err=True)
    return source


def _formatted(source: Source) -> str | None:
    log = Log()
    file = parse(source, log)
    if file is None or log.diagnostics:
        for fault in sorted(log.diagnostics, key=lambda one: one.order):
            click.echo(render(fault) + "\n", err=True)
        return None
    text = formatted(source)
    if not says_the_same(source, Source(source.path, source.name, text)):
        help = "please report it, with the file; nothing was written"
        click.echo(f"error: the new text of `{source.name}` would say something else\n", err=True)
        click.echo(f"  = help: {help}", err=True)
        return None
    return text


def _diff(source: Source, text: str) -> str:
    lines = difflib.unified_diff(
        source.text.splitlines(keepends=True),
        text.splitlines(keepends=True),
        source.name,
        source.name,
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
