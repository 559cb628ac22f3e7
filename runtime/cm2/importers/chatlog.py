"""Recorded dialogues as a spec to fill in: what the importers of chat logs share.

A log says what happened, and not what was right. So the spec holds what can be taken as it is (the
user's words, the tools, the system prompt, the recordings), and of each turn only what a recording
shows for certain: the tools that it calls, or else that there is a reply. What a reply must say is
left to the person who reads the spec, and who finds beside each turn what was called with which
arguments, and how the recorded reply begins.

Dialogues in which the user says the same, word by word, are recordings of one task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cm2.chat import to_chat
from cm2.formats.record import Record, Reject
from cm2.formats.source import NESTING, Found, SourceFault, read_text, too_deep
from cm2.importers import chattools
from cm2.importers.chattools import Schema
from cm2.importers.chatturns import example, turns
from cm2.importers.options import Options
from cm2.trajectory import Call, Trajectory
from cm2dsl.draft.spec import Spec, Task
from cm2dsl.draft.titles import task_name, task_title
from cm2dsl.names import file_name, name_of

SHOWN = 20
"""Dialogues left out that the report names one by one."""

REQUEST = 100_000
"""Characters of a user message that a spec may hold; what is longer is a document."""

Tools = Callable[[Found, Trajectory], list[Schema]]
"""Finds the schemas in what a dialogue's line has beside the messages. Raises SourceFault."""


@dataclass(frozen=True, slots=True)
class _Dialogue:
    trajectory: Trajectory
    tools: list[Schema]

    def calls(self) -> Iterator[Call]:
        for turn in self.trajectory.turns:
            for step in turn.steps:
                yield from step.calls


def read_log(
    path: Path,
    options: Options,
    entries: Iterable[Record | Reject],
    tools_of: Tools,
    tool_keys: Sequence[str],
) -> Spec:
    """The spec of a log, made from what a format's reader yields.

    `tool_keys` are those that `tools_of` reads: the recordings are written without them. A dialogue
    that cannot be used is left out, and the report says why. Raises SourceFault where none is left
    or a file of the options is not what it should be, and OSError.
    """
    dialogues, left_out = _dialogues(path, entries, tools_of, tool_keys)
    if not dialogues:
        first = left_out[0]
        raise SourceFault(first.file, first.line, first.path, first.reason, first.help)
    tools, unsaid = _tools(dialogues, options)
    names = [chattools.name_of_tool(schema) for schema in tools]
    system, more = _system(dialogues, options)
    tasks = _tasks(dialogues, names)
    return Spec(
        domain=options.name or _domain(path),
        title=f"A checklist to fill in, from {file_name(path)}",
        tools=tools,
        system=system,
        tasks=tasks,
        note=_note(path, len(dialogues), tasks),
        unsaid=[
            "The source says what happened and not what was right: every item is a proposal, made "
            "from what the recordings do.",
            *said_of(left_out),
            *unsaid,
            *more,
            *_effectless(tools),
            *_unused(dialogues, names),
        ],
    )


def _domain(path: Path) -> str:
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
    return name_of(stem, otherwise="chats")


# --- dialogues --------------------------------------------------------------------------------


def _dialogues(
    path: Path, entries: Iterable[Record | Reject], tools_of: Tools, tool_keys: Sequence[str]
) -> tuple[list[_Dialogue], list[Reject]]:
    used: list[_Dialogue] = []
    left_out: list[Reject] = []
    for entry in entries:
        if isinstance(entry, Reject):
            left_out.append(entry)
            continue
        whole = entry.trajectory
        place = f"dialogue {whole.id}" if entry.line is None else ""
        try:
            tools = tools_of(Found(dict(whole.extra), str(path), entry.line, place), whole)
        except SourceFault as fault:
            left_out.append(Reject(fault.file, fault.line, fault.path, fault.message, fault.help))
            continue
        extra = {key: whole.extra[key] for key in whole.extra if key not in tool_keys}
        trajectory = replace(whole, extra=extra)
        reason = _unusable(trajectory)
        if reason:
            message, help = reason
            left_out.append(Reject(str(path), entry.line, place, message, help))
        else:
            used.append(_Dialogue(trajectory, tools))
    return used, left_out


def _unusable(trajectory: Trajectory) -> tuple[str, str] | None:
    """Why a dialogue cannot be a task's recording, and what to do."""
    if not trajectory.turns:
        return "the user says nothing", "a task needs what the user says first"
    if any(len(turn.user) > REQUEST for turn in trajectory.turns):
        return f"the user says more than {REQUEST:,} characters at once", "shorten the message"
    values = [call.arguments for turn in trajectory.turns for s in turn.steps for call in s.calls]
    if too_deep([dict(trajectory.extra), values]):
        return f"a value is nested more than {NESTING} levels deep", "write it flatter"
    try:
        to_chat(trajectory)
    except ValueError as error:
        message, _, help = str(error).partition("; ")
        return message, help
    return None


def said_of(rejects: Sequence[Reject]) -> Iterator[str]:
    """What a report says of dialogues that could not be read or used."""
    for reject in rejects[:SHOWN]:
        line = f"line {reject.line}" if reject.line is not None else ""
        place = ", ".join(part for part in (line, f"`{reject.path}`" * bool(reject.path)) if part)
        yield f"A dialogue was left out ({place}): {reject.reason}; {reject.help}."
    if len(rejects) > SHOWN:
        yield f"{len(rejects) - SHOWN} more dialogues were left out."


# --- what all tasks share ---------------------------------------------------------------------


def _tools(dialogues: Sequence[_Dialogue], options: Options) -> tuple[list[Schema], list[str]]:
    """The tools, and what is to be said about where they come from."""
    offered = [dialogue.tools for dialogue in dialogues]
    if options.tools is None:
        if any(offered):
            return chattools.merge(offered)
        return chattools.derive(call for dialogue in dialogues for call in dialogue.calls())
    tools = chattools.read_tools(options.tools)
    known = {chattools.name_of_tool(schema) for schema in tools}
    others = {chattools.name_of_tool(schema): None for each in offered for schema in each}
    missing = [name for name in others if name not in known]
    if not missing:
        return tools, []
    shown = chattools.names(missing)
    return tools, [f"The dialogues have tools that the tools file lacks: {shown}."]


def _effectless(tools: Sequence[Schema]) -> Iterator[str]:
    """What the report says of tools that nothing says the effect of."""
    unknown = [t for t in tools if "x-effect" not in t["function"] and "x-effect" not in t]
    if unknown:
        shown = chattools.names([chattools.name_of_tool(schema) for schema in unknown])
        yield (
            f"Nothing says what {shown} would change, so `any write` and `any read` match no such "
            'call: write `"x-effect": "read"`, `"write"` or `"generic"` into the tools file '
            "before you forbid changes."
        )


def _system(dialogues: Sequence[_Dialogue], options: Options) -> tuple[str, list[str]]:
    """The system prompt: that of the options, else the most common one of those that there are."""
    if options.system is not None:
        return read_text(options.system), []
    counted = Counter(d.trajectory.system for d in dialogues if d.trajectory.system)
    if not counted:
        return "", []
    system, count = counted.most_common(1)[0]
    unsaid: list[str] = []
    if len(counted) > 1:
        unsaid.append(
            f"The dialogues have {len(counted)} different system prompts; the spec has the most "
            f"common one ({_count(count)}). Each recording keeps its own."
        )
    without = len(dialogues) - counted.total()
    if without:
        unsaid.append(f"{_count(without)} had no system prompt; the spec has one.".capitalize())
    return system, unsaid


def _unused(dialogues: Sequence[_Dialogue], tools: Sequence[str]) -> Iterator[str]:
    """What dialogues hold that their tasks do not say."""
    unknown = Counter(
        tool
        for dialogue in dialogues
        for tool in {call.tool for call in dialogue.calls()}
        if tool not in tools
    )
    for tool, count in sorted(unknown.items()):
        where = f"`{tool}` is called in {_count(count)}"
        yield f"{where}, and no schema has that name: no item asks for it."
    named = sum(bool(dialogue.trajectory.task) for dialogue in dialogues)
    if named:
        yield f"A task is named in {_count(named)}; here tasks are named for what the user says."
    openings = sum(bool(dialogue.trajectory.opening) for dialogue in dialogues)
    if openings:
        yield f"The agent speaks first in {_count(openings)}; only the recordings say so."
    acting = sum(any(turn.acts for turn in dialogue.trajectory.turns) for dialogue in dialogues)
    if acting:
        yield (
            f"The user calls tools in {_count(acting)}; only the recordings say so. Name their "
            "schemas with `user tools` to check them."
        )
    unheard = sum(any(not turn.steps for turn in d.trajectory.turns) for d in dialogues)
    if unheard:
        yield f"The agent says nothing to some message of the user in {_count(unheard)}."


def _count(number: int) -> str:
    return "1 dialogue" if number == 1 else f"{number} dialogues"


# --- tasks ------------------------------------------------------------------------------------


def _tasks(dialogues: Sequence[_Dialogue], tools: Sequence[str]) -> list[Task]:
    scripts: dict[tuple[str, ...], list[Trajectory]] = {}
    for dialogue in dialogues:
        script = tuple(turn.user for turn in dialogue.trajectory.turns)
        scripts.setdefault(script, []).append(dialogue.trajectory)
    tasks: dict[str, Task] = {}
    for script, recordings in scripts.items():
        name = task_name(script[0], tasks)
        tasks[name] = Task(
            name=name,
            title=task_title(script[0]),
            turns=turns([each.turns for each in recordings], set(tools)),
            recordings=tuple(recordings),
        )
    return list(tasks.values())


def _note(path: Path, dialogues: int, tasks: Sequence[Task]) -> str:
    text = (
        f"Made from {_count(dialogues)} in {file_name(path)}, as a checklist to fill in. So far a "
        "turn asks for the tools that every recording of it calls, or else for any reply at all. "
        "Lines with `recorded` show what was called, as patterns to narrow the checks down to. "
        "What a good reply says is still to be asked, for instance:"
    )
    return f"{text}\n\n{example([turn for task in tasks for turn in task.turns])}"
