"""τ-bench, the first edition: the tasks that a result file embeds, each with its instruction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cm2.formats.criteria import Criteria
from cm2.formats.record import Reject
from cm2.formats.source import Found, read_json, read_text
from cm2.formats.tau1 import criteria
from cm2.formats.tau1 import read as read_dialogues
from cm2.importers.actions import (
    Checklist,
    Toolbox,
    goal_items,
    repeat_official,
    templates,
)
from cm2.importers.chatlog import said_of
from cm2.importers.options import Options
from cm2.importers.questions import title
from cm2.importers.schemas import derived, loosened, merged, read_tools
from cm2.importers.vacuous import ending, note, of_tasks, on_words, report
from cm2.trajectory import Trajectory
from cm2dsl.draft.spec import Spec, Task
from cm2dsl.names import name_of

HELP = "τ-bench, the first edition: a result file"

WRITES = ("book", "cancel", "exchange", "modify", "return", "send", "update")
GENERIC = ("calculate", "think", "transfer")
"""The first words of τ-bench's tools that change the database, and of those that touch none."""


def read(path: Path, options: Options) -> list[Spec]:
    """The draft of the tasks in a result file. Raises SourceFault and OSError."""
    top = read_json(path)
    played, rejects = _dialogues(path)
    tasks = _tasks(top)
    goals = {name: goal for name, (_, goal) in tasks.items()}
    spec = Spec(options.name or name_of(path.name.split(".")[0], (), "tau"))
    spec.title = "τ-bench"
    spec.system = _system(options, played)
    given = read_tools(options.tools) if options.tools is not None else []
    spec.tools, added = merged(given, _derived(goals, played))
    for tool in spec.tools:
        tool["function"].setdefault("x-effect", _effect(tool["function"]["name"]))
    if added:
        spec.unsaid.append(
            f"the schemas of {', '.join(f'`{name}`' for name in added)} are made from their calls, "
            "and what they change is told by the first word of their names; name the real schemas "
            "with --tools"
        )
    calls = [(action.tool, action.arguments) for goal in goals.values() for action in goal.actions]
    spec.tools, opened = loosened(spec.tools, calls)
    spec.unsaid += [*said_of(rejects), *opened]
    toolbox = Toolbox.of(spec.tools)
    unsaid: dict[str, list[str]] = {}
    used: list[str] = []
    for name, (instruction, goal) in tasks.items():
        checklist = Checklist()
        writes = [a for a in goal.actions if toolbox.effect(a) == "write"]
        actions = goal_items(writes, goal, goal.actions, toolbox, checklist)
        paid = ending(actions, goal, toolbox, checklist)
        for sentence in [*([report(paid)] if paid else []), *on_words(goal, instruction)]:
            unsaid.setdefault(sentence, []).append(name)
        if options.diagnostics:
            repeat_official(goal, toolbox, checklist)
        used += checklist.templates
        spec.tasks.append(
            Task(
                name,
                title=title(instruction),
                simulated=instruction,
                items=tuple(checklist.items),
                recordings=tuple(one for one, reward in played if one.task == name and reward == 1),
                note=note(paid),
            )
        )
    spec.unsaid += of_tasks(unsaid, len(tasks))
    spec.templates = templates(used, toolbox)
    return [spec]


def _tasks(top: Found) -> dict[str, tuple[str, Criteria]]:
    """(instruction, criteria) of every task, by name. Raises SourceFault for two that differ."""
    found: dict[str, tuple[str, Criteria]] = {}
    for result in top.items():
        info = result.get("info")
        task = info.get("task") if info is not None else None
        if task is None:
            continue  # a run that broke off before it had a task
        name = name_of(f"task {result['task_id'].whole()}")
        one = (task["instruction"].filled(), criteria(task))
        if found.setdefault(name, one) != one:
            help = "import the runs of different editions of the tasks one by one"
            raise task.fault(f"another task than before has the number of `{name}`", help)
    if not found:
        raise top.fault("no result holds its task", "name a file whose `info` has a `task`")
    return found


def _dialogues(path: Path) -> tuple[list[tuple[Trajectory, float]], list[Reject]]:
    """The dialogues that can be read, with their official reward; and the others."""
    played: list[tuple[Trajectory, float]] = []
    rejects: list[Reject] = []
    for record in read_dialogues(path):
        if isinstance(record, Reject):
            rejects.append(record)
        else:
            reward = record.official.reward if record.official is not None else 0.0
            played.append((record.trajectory, reward))
    return played, rejects


def _system(options: Options, played: Sequence[tuple[Trajectory, float]]) -> str:
    if options.system is not None:
        return read_text(options.system)
    return next((one.system for one, _ in played if one.system), "")


def _derived(
    goals: dict[str, Criteria], played: Sequence[tuple[Trajectory, float]]
) -> list[dict[str, Any]]:
    calls = [(action.tool, action.arguments) for goal in goals.values() for action in goal.actions]
    calls += [
        (call.tool, call.arguments)
        for one, _ in played
        for turn in one.turns
        for step in turn.steps
        for call in step.calls
        if call.arguments is not None
    ]
    return derived(calls)


def _effect(tool: str) -> str:
    first = tool.split("_")[0]
    return "write" if first in WRITES else "generic" if first in GENERIC else "read"
