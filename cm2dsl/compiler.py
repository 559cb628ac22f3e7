"""From a .cm2 file to its IR: the whole pipeline, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, field

from cm2dsl import ir, nodes
from cm2dsl.diagnostic import CompileError, Diagnostic, Log
from cm2dsl.doubt import certain
from cm2dsl.files import Files, decode
from cm2dsl.identity import __version__, own_hash
from cm2dsl.ir import DIALOGUE
from cm2dsl.lower.anchors import Recordings
from cm2dsl.lower.env import Env, Tools, constant_text, read_text
from cm2dsl.lower.settings import (
    read_judge,
    read_malformed,
    read_simulate,
    report_unknown_turns,
)
from cm2dsl.lower.tasks import Context, lower_task
from cm2dsl.lower.tests import lower_test
from cm2dsl.parse import parse
from cm2dsl.schemas import read_tools
from cm2dsl.source import Source, Span

Block = TypeVar("Block")


class Compiled(Struct, frozen=True):
    """A spec in the IR, and the bytes of every file it was made from, by name."""

    spec: ir.Spec
    read: dict[str, bytes]


class Analysed(Struct, frozen=True):
    """A file without a fault: its syntax tree and those of its imports, and what it compiles to.

    `compiled` is None for a library: a file of templates, without a domain. `read` has the bytes of
    every file that was read, by name, and `through_link` says whether a link led to one of them.
    `recordings` are those that its tasks name, by file.
    """

    file: nodes.File
    imported: tuple[nodes.File, ...]
    compiled: Compiled | None
    read: Mapping[str, bytes]
    through_link: bool
    recordings: Mapping[str, Recordings] = field(default_factory=dict)


def compile_file(path: Path, shown: str | None = None) -> Compiled | None:
    """Compile one spec. None for a library.

    `shown` is the path as messages name it. Raises CompileError with every fault found.
    """
    return analyse(path, shown).compiled


def analyse(path: Path, shown: str | None = None) -> Analysed:
    """Compile one file, and keep what it was read as. Raises CompileError."""
    log = Log()
    shown = shown if shown is not None else str(path)
    root = path.resolve().parent
    files = Files(root, log)
    files.shown_root = shown[: len(shown) - len(path.name)]
    source = _read(path, shown, files)
    file = parse(source, log) if source is not None else None
    if file is None:
        raise CompileError(log.diagnostics)
    parsed = [file]
    templates, all_templates = _templates(parsed, files, log)
    tasks = _all(file, nodes.Task)
    domain = _single(file, nodes.Domain, log)
    if domain is None and not tasks:
        log.raise_if_any()
        return Analysed(file, tuple(parsed[1:]), None, files.read_bytes, files.through_link)
    if domain is None:
        span = tasks[0].name.span
        log.error("E307", "the spec has no domain", span, 'name it: `domain airline "…"`')
    recorded: dict[str, Recordings] = {}
    spec = _lower(file, domain, templates, files, recorded, log)
    log.diagnostics = certain(log.diagnostics, parsed, templates, all_templates)
    log.raise_if_any()
    assert spec is not None
    read, through_link = files.read_bytes, files.through_link
    compiled = Compiled(spec, read)
    return Analysed(file, tuple(parsed[1:]), compiled, read, through_link, recorded)


def _read(path: Path, shown: str, files: Files) -> Source | None:
    nowhere = Span(Source(path, shown, ""), 0, 0)
    try:
        path.name.encode()
    except UnicodeEncodeError:  # the bundle names the file, and is UTF-8
        fault = Diagnostic("E402", "the name of the spec is not UTF-8 text", nowhere, "rename it")
        raise CompileError([fault]) from None
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        help = "name a .cm2 file or a folder of them"
        fault = Diagnostic("E402", f"cannot read the spec: {reason}", nowhere, help)
        raise CompileError([fault]) from None
    files.read_bytes[path.name] = raw
    return decode(raw, path.resolve(), shown, files.log)


def _lower(
    file: nodes.File,
    domain: nodes.Domain | None,
    templates: dict[str, nodes.Template],
    files: Files,
    recorded: dict[str, Recordings],
    log: Log,
) -> ir.Spec | None:
    faults = len(log.diagnostics)
    tools = _tools(file, "tools", files, log)
    user_tools = _tools(file, "user tools", files, log)
    all_tools = len(log.diagnostics) == faults
    simulate = _single(file, nodes.Simulate, log)
    assign = _single(file, nodes.Assign, log)
    known = Tools(
        {tool.name: tool for tool in tools}, {tool.name: tool for tool in user_tools}, all_tools
    )
    context = Context(files, log, known, templates, assign, recorded)
    tasks: dict[str, ir.Task] = {}
    seen: dict[str, nodes.Task] = {}
    for task in _all(file, nodes.Task):
        if task.name.text in seen:
            related = ((seen[task.name.text].name.span, "first here"),)
            message = f"task `{task.name.text}` stands twice"
            log.error("E106", message, task.name.span, "give it another name", related)
        seen.setdefault(task.name.text, task)
        lowered = lower_task(task, context)
        if lowered is not None:
            tasks.setdefault(task.name.text, lowered)
    if assign is not None:
        report_unknown_turns(assign, _turn_names(file), "any task", log)
    if domain is not None and not seen:
        log.error("E307", "the spec has no task", domain.name.span, "add one: `task NAME { … }`")
    lowered_tests = [
        lower_test(test, tasks, files, log)
        for test in _all(file, nodes.Test)
        if test.task.text in tasks or test.task.text not in seen
    ]
    judge = read_judge(_single(file, nodes.Judge, log), log)
    backends = read_simulate(simulate, files, log)
    malformed = read_malformed(simulate, log)
    system = _system(file, files, log)
    if domain is None or log.diagnostics:
        return None
    title = constant_text(read_text(domain.title, Env(log, Tools()))) if domain.title else ""
    return ir.Spec(
        edition=1,
        domain=domain.name.text,
        title=title or "",
        system=system,
        tools=tuple(tools),
        user_tools=tuple(user_tools),
        judge=judge,
        simulate=backends,
        malformed=malformed,
        tasks=tuple(tasks.values()),
        tests=tuple(test for test in lowered_tests if test is not None),
        sources=tuple(
            ir.Source(file=name, sha256=digest) for name, digest in files.hashes().items()
        ),
        compiler=ir.Compiler(version=__version__, sha256=own_hash()),
    )


def _turn_names(file: nodes.File) -> list[str]:
    parts = [part for task in _all(file, nodes.Task) for part in task.parts]
    return [*(part.name.text for part in parts if isinstance(part, nodes.Turn)), DIALOGUE]


def _all(file: nodes.File, kind: type[Block]) -> list[Block]:
    return [statement for statement in file.statements if isinstance(statement, kind)]


def _single(file: nodes.File, kind: type[Any], log: Log) -> Any:
    found = _all(file, kind)
    for extra in found[1:]:
        word = kind.__name__.lower()
        log.error("E303", f"a second `{word}`", extra.span, "a spec has one: join the two")
    return found[0] if found else None


def _statements(file: nodes.File, word: str) -> list[nodes.FileStatement]:
    return [each for each in _all(file, nodes.FileStatement) if each.word == word]


def _tools(file: nodes.File, word: str, files: Files, log: Log) -> list[ir.Tool]:
    tools: list[ir.Tool] = []
    for statement in _statements(file, word):
        opened = files.open(statement.file)
        for tool in read_tools(opened[1], log) if opened is not None else ():
            if any(tool.name == other.name for other in tools):
                message = f"tool `{tool.name}` is in another tools file too"
                log.error("E106", message, statement.file.span, "keep one of the two")
            else:
                tools.append(tool)
    return tools


def _system(file: nodes.File, files: Files, log: Log) -> str:
    statements = _statements(file, "system")
    for extra in statements[1:]:
        log.error("E303", "a second `system`", extra.span, "a spec has one: join the two")
    opened = files.open(statements[0].file) if statements else None
    return opened[1].text.strip() if opened is not None else ""


def _templates(
    parsed: list[nodes.File], files: Files, log: Log
) -> tuple[dict[str, nodes.Template], bool]:
    """The templates of the file in `parsed` and of its imports, imports of imports included.

    The imported files are added to `parsed`. False comes second where one could not be read, so
    that not every template is known.
    """
    found: dict[str, nodes.Template] = {}
    every = True
    done: set[Path] = {parsed[0].source.path}
    for current in parsed:
        for template in _all(current, nodes.Template):
            _add(template, found, log)
        for statement in _statements(current, "import"):
            opened = files.open(statement.file)
            if opened is not None and opened[1].path.resolve() in done:
                continue
            imported = _imported(opened[1], done, log) if opened is not None else None
            if imported is not None:
                parsed.append(imported)
            every = every and imported is not None
    return found, every


def _add(template: nodes.Template, found: dict[str, nodes.Template], log: Log) -> None:
    name = template.name.text
    if name in found:
        related = ((found[name].name.span, "first here"),)
        message = f"template `{name}` stands twice"
        log.error("E106", message, template.name.span, "give it another name", related)
    twice: Sequence[nodes.Name] = [
        param
        for index, param in enumerate(template.params)
        if param.text in [other.text for other in template.params[:index]]
    ]
    for param in twice:
        log.error("E106", f"parameter `{param.text}` stands twice", param.span, "rename one")
    found.setdefault(name, template)


def _imported(source: Source, done: set[Path], log: Log) -> nodes.File | None:
    done.add(source.path.resolve())
    imported, faults = _parsed(source)
    log.diagnostics += faults
    return imported


@lru_cache(maxsize=32)
def _parsed(source: Source) -> tuple[nodes.File | None, tuple[Diagnostic, ...]]:
    """The tree of a text and its faults, read once where many specs import the same file."""
    log = Log()
    return parse(source, log), tuple(log.diagnostics)
