"""Recorded dialogues as tasks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from cm2dsl.chat import to_chat
from cm2dsl.draft.spec import Task, Test, Turn
from cm2dsl.draft.titles import task_name, task_title
from cm2dsl.init.criteria import Criteria, criteria
from cm2dsl.init.goldens import goldens
from cm2dsl.init.guards import Kit
from cm2dsl.init.words import language_of
from cm2dsl.ir import DIALOGUE
from cm2dsl.names import name_of
from cm2dsl.trajectory import Trajectory
from cm2dsl.trajectory import Turn as Recorded

GREETING = re.compile(
    r"\s*(?:(?:hi|hello|hey|good (?:morning|afternoon|evening))(?: there)?|您好|你好)"
    r"(?:\s*[,.!，。！]\s*)+",
    re.IGNORECASE,
)
"""How a first message may begin that says nothing of what it is about."""

QUESTIONS = 24
"""Questions of a task to a judge: `cm2c lint` finds more than 30 requests a dialogue too many."""

REQUEST = 100_000
"""Characters of a user message that a spec may hold; what is longer is a document."""

SCHEMAS = ("tools", "functions")
"""Members of a dialogue's line that are no part of the dialogue: the spec has a tools file."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Below the spec's: for dialogues as they are, and for what tests take that is made of them."""

    recordings: str
    fixtures: str


@dataclass(slots=True)
class Drafted:
    """Tasks with their tests, and (name, text) of the dialogues that they name.

    `left_out` are (dialogue, why it became no task); `beyond` are those after the last task.
    """

    tasks: list[Task] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    beyond: int = 0


def draft_tasks(
    recordings: Iterable[Trajectory],
    kit: Kit,
    folders: Folders,
    most: int,
    titles: Mapping[str, str],
) -> Drafted:
    """Tasks from dialogues, `most` of them.

    `titles` are those of dialogues that are not called by what the user says.
    """
    drafted = Drafted()
    scripts: dict[tuple[str, ...], str] = {}
    for recording in recordings:
        script = tuple(turn.user for turn in recording.turns)
        reason = _unusable(recording)
        if not reason and script in scripts:
            reason = f"the user says the same as in `{scripts[script]}`"
        if not reason and len(drafted.tasks) >= most:
            drafted.beyond += 1
            continue
        if not reason and not (items := _criteria(recording, kit)):
            reason = (
                "the agent calls no tool of the tools file, and says nothing that can be quoted"
            )
        if reason:
            drafted.left_out.append((recording.id, reason))
            continue
        scripts[script] = recording.id
        title = titles.get(recording.id) or GREETING.sub("", script[0]) or script[0]
        name = task_name(title, [task.name for task in drafted.tasks])
        _add(replace(recording, task=name), items, task_title(title), folders, drafted)
    return drafted


def _unusable(recording: Trajectory) -> str:
    """Why a dialogue cannot be a task, or nothing."""
    if not recording.turns:
        return "the user says nothing"
    if any(not turn.user.strip() for turn in recording.turns):
        return "a message of the user is empty"
    if any(len(turn.user) > REQUEST for turn in recording.turns):
        return f"the user says more than {REQUEST:,} characters at once"
    try:
        to_chat(recording)
    except ValueError as error:
        return str(error).partition("; ")[0]
    return ""


def _criteria(recording: Trajectory, kit: Kit) -> list[Criteria]:
    """The items of each turn, up to the last turn that has some."""
    kit.budget = QUESTIONS
    language = language_of(turn.user for turn in recording.turns)
    found = [criteria(turn, kit, language) for turn in recording.turns]
    while found and not found[-1].items:
        found.pop()
    return found


def _add(
    recording: Trajectory,
    found: Sequence[Criteria],
    title: str,
    folders: Folders,
    drafted: Drafted,
) -> None:
    """Add a task, its tests and its files."""
    extra = {key: recording.extra[key] for key in recording.extra if key not in SCHEMAS}
    recording = replace(recording, turns=recording.turns[: len(found)], extra=extra)
    turns = _turns(recording.turns, found)
    carrying = tuple(turn.name for turn in turns if turn.items)
    file = f"{folders.recordings}/{recording.task}.jsonl"
    at = carrying if len(carrying) < len(turns) else ()
    drafted.tasks.append(Task(recording.task, title=title, turns=turns, reference=file, at=at))
    for golden in goldens(recording, turns, found, file, folders.fixtures):
        drafted.tests.append(golden.test)
        drafted.files.append((golden.test.trajectory, golden.line))


def _turns(recorded: Sequence[Recorded], found: Sequence[Criteria]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for number, (turn, one) in enumerate(zip(recorded, found, strict=True), start=1):
        taken: Collection[str] = {DIALOGUE, *(other.name for other in turns)}
        words = one.target[1] if one.target is not None else f"turn {number}"
        turns.append(Turn(name_of(words, taken, "turn"), turn.user, one.items, one.note))
    return tuple(turns)
