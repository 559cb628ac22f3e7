"""A spec and the files beside it, put together from tools and dialogues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cm2dsl.chat import read
from cm2dsl.draft.spec import Spec
from cm2dsl.draft.text import spec_text
from cm2dsl.init.example import example
from cm2dsl.init.guards import Kit
from cm2dsl.init.tasks import Drafted, Folders, draft_tasks
from cm2dsl.init.tools import Tool, ToolsFile, read_tools_file
from cm2dsl.init.words import language_of, words_for
from cm2dsl.names import is_name, name_of
from cm2dsl.trajectory import Trajectory

SHOWN = 8
"""Names of tools that a comment lists one by one."""

MADE_UP = (
    "Made up from the schemas, to be replaced. EDIT: say what your users say, and record a right "
    "dialogue; cm2c init --recordings FILE makes tasks of recorded ones."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for. `out` is the spec, `most` how many tasks it may have."""

    tools: Path
    out: Path
    recordings: Path | None = None
    most: int = 10
    system: Path | None = None

    def inside(self, path: Path) -> str | None:
        """The name of a file below the spec's folder; None for a file that lies elsewhere."""
        folder, real = self.out.parent.resolve(), path.resolve()
        return real.relative_to(folder).as_posix() if real.is_relative_to(folder) else None


@dataclass(frozen=True, slots=True)
class Assembled:
    """A drafted spec: (name, text) of the files to write, the spec's first.

    `given` are files that it names and that are there already; `left_out` are (dialogue, why it
    became no task), and `beyond` is how many came after the last task that was wanted.
    """

    spec: Spec
    files: tuple[tuple[str, str], ...]
    given: dict[str, bytes]
    left_out: tuple[tuple[str, str], ...]
    beyond: int


def assemble(wanted: Wanted) -> Assembled:
    """Draft a spec.

    Raises CompileError for a tools file and ChatError for recordings that are not right, OSError,
    and UnicodeDecodeError for a system prompt that is not UTF-8.
    """
    found = read_tools_file(wanted.tools)
    stem = wanted.out.stem
    titles: dict[str, str] = {}
    if wanted.recordings is not None:
        dialogues = list(read(wanted.recordings))
        folders = Folders(f"{stem}/recordings", f"{stem}/fixtures")
    else:
        made, about = example(found.tools)
        dialogues, titles = [made], {made.id: about}
        folders = Folders(f"{stem}/fixtures", f"{stem}/fixtures")
    said = [turn.user for dialogue in dialogues for turn in dialogue.turns]
    kit = Kit(found.by_name, language_of(said))
    drafted = draft_tasks(dialogues, kit, folders, wanted.most, titles)
    if wanted.recordings is None:
        drafted.tasks = [replace(task, note=MADE_UP) for task in drafted.tasks]
    given: dict[str, bytes] = {}
    tools_file = _tools_file(wanted, found, given)
    system, system_file = _system(wanted, dialogues, kit, given)
    spec = Spec(
        domain=stem if is_name(stem) else name_of(stem, otherwise="desk"),
        title=" ".join(stem.replace("_", " ").replace("-", " ").split()).capitalize(),
        tools=[{"name": tool.name} for tool in found.tools],
        tools_file=tools_file,
        system=system,
        system_file=system_file,
        settings=list(_settings(stem)),
        templates=list(kit.used.values()),
        tasks=drafted.tasks,
        tests=drafted.tests,
        note="\n".join(_note(wanted, found, tools_file)),
    )
    files = tuple(_files(spec, drafted, found, wanted, given))
    return Assembled(spec, files, given, tuple(drafted.left_out), drafted.beyond)


def _tools_file(wanted: Wanted, found: ToolsFile, given: dict[str, bytes]) -> str:
    """The name of the spec's tools file: the one given if it says every effect, else a copy."""
    stem = wanted.out.stem
    inside = wanted.inside(wanted.tools)
    if inside is not None and found.complete:
        given[inside] = found.raw
        return inside
    copy = f"{stem}.tools.json"
    return copy if inside != copy else f"{stem}/tools.json"


def _system(
    wanted: Wanted, dialogues: Sequence[Trajectory], kit: Kit, given: dict[str, bytes]
) -> tuple[str, str]:
    """The system prompt and its file: the one given, else the dialogues' most common, else ours."""
    file = f"{wanted.out.stem}.system.md"
    if wanted.system is not None:
        raw = wanted.system.read_bytes()
        inside = wanted.inside(wanted.system)
        if inside is not None:
            given[inside] = raw
        return raw.decode("utf-8-sig"), inside or file
    counted = Counter(one.system.strip() for one in dialogues if one.system.strip())
    prompt = counted.most_common(1)[0][0] if counted else words_for(kit.language).system
    return prompt, file


def _settings(stem: str) -> Iterator[str]:
    yield "judge    { votes 1 view turn }"
    yield "simulate { replay }"
    yield "assign   { level trajectory at all scale none unreached zero }"
    yield ""
    yield "# Only recorded calls are answered so far. Let a Python file answer the others:"
    yield f'# `simulate {{ replay then python "{stem}_backend.py" }}`'


def _note(wanted: Wanted, found: ToolsFile, tools_file: str) -> Iterator[str]:
    sources = [wanted.tools.name, *([wanted.recordings.name] if wanted.recordings else [])]
    yield f"Drafted by cm2c init from {' and '.join(sources)}. Change what is marked EDIT."
    yield ""
    yield f"What a call changes (`x-effect` in {tools_file}) decides what the vetoes forbid."
    for origin, whence in (("annotations", "annotations"), ("name", "names; EDIT what is wrong")):
        for effect in ("write", "read", "generic"):
            some = [tool for tool in found.tools if (tool.origin, tool.effect) == (origin, effect)]
            if some:
                yield f"{effect.capitalize()}, by their {whence}: {_names(some)}."
    unknown = [tool for tool in found.tools if tool.effect is None]
    if unknown:
        yield f"Unknown, and forbidden by no veto; EDIT that: {_names(unknown)}."


def _names(tools: Sequence[Tool]) -> str:
    shown = ", ".join(" ".join(tool.name.split()) for tool in tools[:SHOWN])
    return shown + (f" and {len(tools) - SHOWN} more" if len(tools) > SHOWN else "")


def _files(
    spec: Spec, drafted: Drafted, found: ToolsFile, wanted: Wanted, given: dict[str, bytes]
) -> Iterator[tuple[str, str]]:
    yield wanted.out.name, spec_text(spec)
    if spec.tools_file not in given:
        yield spec.tools_file, found.completed
    if spec.system_file not in given:
        yield spec.system_file, spec.system.strip() + "\n"
    yield from drafted.files
