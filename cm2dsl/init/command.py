"""`cm2c init`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from cm2dsl.chat import ChatError
from cm2dsl.diagnostic import CompileError, render
from cm2dsl.draft.write import WriteFault, write_all
from cm2dsl.init.assemble import Assembled, Wanted, assemble

SHOWN = 8
"""Dialogues left out that are listed one by one."""

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Told(click.ClickException):
    """A message that is complete as it is. Exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


@click.command("init")
@click.argument("tools", type=FILE)
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The spec to write.  [default: named after TOOLS, in this folder]",
)
@click.option("--recordings", type=FILE, help="Recorded dialogues (chat JSONL) to make tasks of.")
@click.option(
    "--tasks",
    "most",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Recordings that become tasks, at most.",
)
@click.option("--system", type=FILE, help="The agent's system prompt.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def command(
    tools: Path,
    out: Path | None,
    recordings: Path | None,
    most: int,
    system: Path | None,
    force: bool,
) -> None:
    """Draft a spec for the tools in TOOLS, a JSON file of OpenAI function schemas or MCP tools.

    With --recordings, each dialogue becomes a task with its tests; without, there is one task, on a
    dialogue that is made up from the schemas. What is written compiles, is laid out, and passes its
    tests and lint; what is to be changed is marked EDIT.

    Exit codes: 0 written; 1 nothing was written; 2 the command line asks for what cannot be done.
    """
    out = out if out is not None else Path(f"{_stem(tools)}.cm2")
    if out.suffix != ".cm2":
        raise click.UsageError(f"`{out}` is no name for a spec: write `--out {out.stem}.cm2`")
    wanted = Wanted(tools, out, recordings, most, system)
    assembled = _assembled(wanted)
    _write(wanted, assembled, force)
    spec = assembled.spec
    items = sum(len(turn.items) for task in spec.tasks for turn in task.turns)
    counts = ((len(spec.tasks), "task"), (items, "item"), (len(spec.tests), "test"))
    click.echo(f"{out}: {', '.join(_count(*each) for each in counts)}")
    for name, _ in assembled.files[1:]:
        click.echo(f"  {out.parent / name}")
    for line in _left_out(assembled):
        click.echo(line, err=True)
    click.echo(f"next: change what is marked EDIT, then `cm2c lint {out}` and `cm2c test {out}`")


def _stem(tools: Path) -> str:
    return tools.name.removesuffix(".json").removesuffix(".tools") or "tools"


def _assembled(wanted: Wanted) -> Assembled:
    try:
        assembled = assemble(wanted)
    except CompileError as error:
        raise Told("\n\n".join(render(one) for one in error.diagnostics)) from None
    except ChatError as error:
        raise Told(str(error)) from None
    except UnicodeDecodeError:
        message = f"error: `{wanted.system}` is not UTF-8 text"
        raise Told(f"{message}\n  = help: save the file as UTF-8") from None
    except OSError as error:
        message = f"error: cannot read `{error.filename}`: {_reason(error)}"
        raise Told(f"{message}\n  = help: name a readable file") from None
    if not assembled.spec.tasks:
        why = "\n".join(_left_out(assembled)) or "  it holds no dialogue"
        help = "name a file of dialogues in which these tools are called"
        message = f"error: nothing in `{wanted.recordings}` can become a task\n{why}"
        raise Told(f"{message}\n  = help: {help}")
    return assembled


def _write(wanted: Wanted, assembled: Assembled, force: bool) -> None:
    help = "add --force to replace it, or name another spec with --out"
    folder = wanted.out.parent
    try:
        write_all(assembled.files, folder, given=assembled.given, force=force, help=help)
    except WriteFault as fault:
        raise Told(str(fault)) from None
    except CompileError as error:
        message = f"error: the draft does not compile\n\n{error}"
        help = "this is a fault of cm2c, not of your files: please report it"
        raise Told(f"{message}\n  = help: {help}") from None
    except OSError as error:
        message = f"error: cannot write `{error.filename or wanted.out}`: {_reason(error)}"
        raise Told(f"{message}\n  = help: name another spec with --out") from None


def _reason(error: OSError) -> str:
    return (error.strerror or "it failed").lower()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _left_out(assembled: Assembled) -> Iterator[str]:
    left_out = assembled.left_out
    for name, reason in left_out[:SHOWN]:
        yield f"  left out: dialogue `{name}`: {reason}"
    if len(left_out) > SHOWN:
        yield f"  left out: {_count(len(left_out) - SHOWN, 'more dialogue')}"
    if assembled.beyond:
        more, tasks = (
            _count(assembled.beyond, "dialogue"),
            _count(len(assembled.spec.tasks), "task"),
        )
        yield f"  left out: {more} beyond {tasks}; --tasks makes more"
