"""`cm2 import`: other people's tasks in, specs out."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENAMETOOLONG
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import NoReturn

import click

from cm2 import importers
from cm2.formats.shapes import has_value_a_line, shape_of
from cm2.formats.source import SourceFault
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2dsl.diagnostic import CompileError, suggest
from cm2dsl.draft.spec import Spec
from cm2dsl.draft.write import WriteFault
from cm2dsl.names import is_name, name_of

USER_ERROR = 2

ONE_VALUE = {
    "tau1": "write them as a list",
    "tau2": "write them as a list",
    "tooltalk": "give each a file of its own",
}
"""Sources whose files are one JSON value, never JSON Lines; and what to do with several."""


def sources() -> dict[str, ModuleType]:
    """The importers by their name on the command line: modules with `HELP` and `read`."""
    found = {name.replace("_", "-"): _importer(name) for name in _modules()}
    return {name: module for name, module in found.items() if module is not None}


def _modules() -> list[str]:
    return [module.name for module in iter_modules(importers.__path__)]


def _importer(name: str) -> ModuleType | None:
    """The module of that name, if it is an importer; the others of the folder are their parts."""
    if name not in _modules():
        return None
    module = import_module(f"{importers.__name__}.{name}")
    return module if hasattr(module, "HELP") and hasattr(module, "read") else None


class _WithSources(click.Command):
    """Lists the sources under the options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Sources"):
            formatter.write_dl([(name, module.HELP) for name, module in sources().items()])


@click.command(name="import", cls=_WithSources)
@click.argument("source")
@click.argument("path", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("specs"),
    show_default=True,
    help="The folder to write into; nothing in it is written over.",
)
@click.option("--name", default="", help="The spec's domain.  [default: made from IN's name]")
@click.option("--tools", type=click.Path(path_type=Path), help="Tool schemas, where IN has none.")
@click.option("--system", type=click.Path(path_type=Path), help="The agent's system prompt.")
@click.option(
    "--diagnostics",
    is_flag=True,
    help="Add items of weight 0 that repeat the official criteria one by one.",
)
def command(
    source: str,
    path: Path,
    out: Path,
    name: str,
    tools: Path | None,
    system: Path | None,
    diagnostics: bool,
) -> None:
    """Make specs from somebody else's tasks: IN is a file or a folder in the format of SOURCE.

    Beside each spec stand its tools, its system prompt, its recordings, and a report of what IN
    says and the spec does not. Exit code 2: nothing was written.
    """
    module = _importer(source.replace("-", "_"))
    if module is None:
        _fail(f"error: there is no source `{source}`", suggest(source, sources()))
    if name and not is_name(name):
        _fail(f"error: `{name}` is no name for a domain", f"write `--name {name_of(name)}`")
    specs = _read(source, module, path, Options(name, tools, system, diagnostics))
    written = _write(specs, out, source)
    for spec, file in zip(specs, written, strict=True):
        _say("\n".join(_said(spec, file)))


def _read(source: str, module: ModuleType, path: Path, options: Options) -> list[Spec]:
    try:
        specs: list[Spec] = module.read(path, options)
    except SourceFault as fault:
        beside = Path(fault.file) in (options.tools, options.system)
        hint = "" if beside else _another(source, path)
        _fail(str(fault.helped(hint) if hint else fault))
    except OSError as error:
        hint = _another(source, path) if isinstance(error, IsADirectoryError) else ""
        message = f"error: cannot read `{error.filename or path}`: {_reason(error)}"
        _fail(message, hint or _help(error))
    except RecursionError:
        _fail(f"error: `{path}` is nested too deeply to read", "write its values flatter")
    if not any(spec.tasks for spec in specs):
        _fail(f"error: `{path}` holds no task", "name a file or a folder that has some")
    return specs


def _another(source: str, path: Path) -> str:
    """What to do where IN looks like another source, or like several values instead of one."""
    shape = shape_of(path)
    if shape is not None and shape.source != source.replace("_", "-"):
        return f"this looks like {shape.what}: `cm2 import {shape.source} {shape.path}`"
    if path.is_file() and source in ONE_VALUE and has_value_a_line(path):
        what = f"`{source}` reads one JSON value, and the file has one a line"
        return f"{what}: {ONE_VALUE[source]}"
    return ""


def _write(specs: Sequence[Spec], out: Path, source: str) -> list[Path]:
    try:
        return write_specs(specs, out)
    except WriteFault as fault:
        _fail(str(fault))
    except OSError as error:
        where = error.filename or out
        help = "name another folder with -o"
        if error.errno == ENAMETOOLONG:
            help = "name a shorter path with -o, or give a shorter --name"
        _fail(f"error: cannot write `{where}`: {_reason(error)}", help)
    except UnicodeEncodeError as error:
        help = "set a locale with UTF-8, such as LC_ALL=C.UTF-8, or give an ASCII --name"
        _fail(f"error: this locale has no file names with `{error.object[error.start]}`", help)
    except RecursionError:
        _fail("error: a value is nested too deeply to write", "make it flatter in the source")
    except CompileError as error:
        message = f"error: the spec made from this source does not compile\n{error}"
        help = f"this is a fault of the importer `{source}`, not of your file: please report it"
        _fail(message, help)


def _say(text: str) -> None:
    """Print names of files as the bytes that they are, whatever the locale takes them for."""
    click.echo(text.encode("utf-8", "surrogateescape"))


def _said(spec: Spec, file: Path) -> list[str]:
    """What was written, and where to read what was not."""
    tasks = spec.tasks
    items = sum(len(task.items) + sum(len(turn.items) for turn in task.turns) for task in tasks)
    lines = [f"{file}: {_count(len(tasks), 'task')}, {_count(items, 'item')}"]
    unsaid = len(dict.fromkeys(spec.unsaid))
    if unsaid:
        report = file.with_name(f"{spec.domain}.report.md")
        lines.append(
            f"  the report says what is not in it ({_count(unsaid, 'sentence')}): {report}"
        )
    return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _reason(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _help(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "give the path of a file or a folder that is there"
        case IsADirectoryError():
            return "give the path of a file in it"
        case NotADirectoryError():
            return "give the path of a folder"
        case PermissionError():
            return "make it readable for you"
    return "give the path of a file that can be read"


def _fail(message: str, help: str = "") -> NoReturn:
    """Say what is wrong, and end. `message` has its own help where none is given."""
    click.echo(message + (f"\n  = help: {help}" if help else ""), err=True)
    raise SystemExit(USER_ERROR)
