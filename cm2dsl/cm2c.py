"""The `cm2c` command."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from cm2dsl.diagnostic import CompileError, Diagnostic, render
from cm2dsl.lint.output import format_option, report

SPECS = click.Path(exists=True, path_type=Path)


COMMANDS = {
    "explain": ("cm2dsl.explain", "command"),
    "fmt": ("cm2dsl.fmt.command", "command"),
    "graph": ("cm2dsl.graph", "command"),
    "lint": ("cm2dsl.lint.command", "command"),
    "test": ("cm2dsl.testing.command", "command"),
}
"""Commands in modules of their own, which are loaded when they run: module, name."""


class Commands(click.Group):
    """Loads a command when it is asked for, so that none waits for the others' imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return super().get_command(ctx, name)
        module, attribute = COMMANDS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cm2dsl", prog_name="cm2c")
def main() -> None:
    """Compile, lay out and check checklist rewards written in .cm2."""


@main.command("compile")
@click.argument("paths", nargs=-1, required=True, type=SPECS)
@click.option(
    "-o",
    "--out",
    default="build",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the bundles, one a spec.",
)
@click.option("--check", is_flag=True, help="Write nothing; only say what is wrong.")
@format_option
def compile_command(paths: tuple[Path, ...], out: Path, check: bool, form: str) -> None:
    """Compile .cm2 files, or folders of them, into bundles.

    Nothing is written unless every spec compiles. Exit code 1: a spec has faults. With a --format
    for programs, faults go to standard output, as those of `cm2c lint`.
    """
    from cm2dsl.compiler import Compiled, compile_file
    from cm2dsl.emit.bundle import BundleError, write_bundle

    compiled: dict[str, tuple[Path, Compiled]] = {}
    faults: dict[Diagnostic, None] = {}  # two specs may import the same one
    for path, name in _find(paths):
        try:
            result = compile_file(path)
        except CompileError as error:
            faults |= dict.fromkeys(error.diagnostics)
            continue
        if result is None or check:
            continue
        for other, (first, _) in compiled.items():
            if f"{name}/".startswith(f"{other}/") or f"{other}/".startswith(f"{name}/"):
                message = f"the bundles of {first} and {path} would lie in one folder: rename one"
                raise click.UsageError(message)
        compiled[name] = (path, result)
    if faults:
        _say(list(faults), form)
        sys.exit(1)
    if not compiled and not check:
        raise click.UsageError("no spec here: a spec is a .cm2 file with a `domain`")
    for name, (path, result) in compiled.items():
        try:
            write_bundle(result, out / name)
        except BundleError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            reason = (error.strerror or "it failed").lower()
            raise click.ClickException(f"cannot write `{out / name}`: {reason}") from None
        click.echo(f"{path} -> {out / name}  ({_summary(result)})", err=form != "text")
    if form != "text":
        report((), form)


def _say(faults: Sequence[Diagnostic], form: str) -> None:
    """Report faults: as text on standard error, in the other formats on standard output."""
    from cm2dsl.lint.output.text import counted, more

    if form != "text":
        report(faults, form)
        return
    end = f"{counted(len(faults), 'fault')}, nothing was written"
    click.echo("\n\n".join([*map(render, faults), f"{end}\n{more(faults)}"]), err=True)


def _find(paths: tuple[Path, ...]) -> list[tuple[Path, str]]:
    """The specs under the paths, and each one's name below the output folder."""
    found: dict[Path, str] = {}
    for path in paths:
        if path.is_dir():
            for spec in sorted(path.rglob("*.cm2")):
                found[spec] = spec.relative_to(path).with_suffix("").as_posix()
        else:
            found[path] = path.stem
    return list(found.items())


def _summary(compiled: object) -> str:
    from cm2dsl.compiler import Compiled

    assert isinstance(compiled, Compiled)
    spec = compiled.spec
    items = sum(len(task.items) + sum(len(t.items) for t in task.turns) for task in spec.tasks)
    instances = sum(len(task.rows) if task.rows is not None else 1 for task in spec.tasks)
    return f"{len(spec.tasks)} tasks, {instances} instances, {items} items"


@main.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a bundle's ir.json."""
    from cm2dsl.ir import schema

    click.echo(json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True))
