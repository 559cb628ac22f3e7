"""BFCL's multi-turn tasks: questions, ground-truth calls and function documents, as specs.

IN is the benchmark's data folder, or one question file of it:

    BFCL_v4_multi_turn_*.json     entries, one a line: id, question, involved_classes, …
    possible_answer/              files of the same names: id, ground_truth[turn][call]
    multi_turn_func_doc/          a file of function documents for each class (bfcl_effects.py)

A spec has one set of tools, so entries that have the same classes and lack the same excluded
functions make one spec, from whichever question file they come; a task is called as its entry is.
A call of the ground truth becomes an item, reads included, because BFCL wants the result of each.
Calls may come in any order. What changes the state beyond the ground truth makes the turn worth 0.
A turn without ground-truth calls wants a reply and no change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from cm2.formats.bfcl_calls import task_name
from cm2.formats.source import Found, SourceFault, read_lines, read_text
from cm2.importers import bfcl_turns as turns
from cm2.importers.bfcl_effects import BACKENDS
from cm2.importers.bfcl_entries import MORE_FUNCTIONS, Entry, Library, read_entry
from cm2.importers.bfcl_functions import misfits
from cm2.importers.options import Options
from cm2.trajectory import Step, Trajectory
from cm2.trajectory import Turn as RecordedTurn
from cm2dsl.draft.spec import Spec, Task, Turn, Use
from cm2dsl.names import name_of

HELP = "BFCL's multi-turn tasks: its data folder, or one of its question files"

QUESTIONS = "BFCL_*multi_turn_*.json"
ANSWERS = "possible_answer"
DOCUMENTS = "multi_turn_func_doc"

TITLE = 72
"""Characters of the first request that a task's title shows."""


def read(path: Path, options: Options) -> list[Spec]:
    """The specs of a folder or a file, by name. Raises SourceFault, OSError."""
    files = _question_files(path)
    library = Library(options.tools or files[0].parent / DOCUMENTS)
    entries: dict[str, Entry] = {}
    for file in files:
        answers = _answers(file.parent / ANSWERS / file.name)
        for found in read_lines(file):
            entry = read_entry(found, answers, library)
            if entry.id in entries:
                raise found["id"].fault(f"`{entry.id}` stands twice", "keep one of the two")
            entries[entry.id] = entry
    if not entries:
        raise SourceFault(str(path), None, "", "there are no entries", "fetch the files again")
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Entry]] = {}
    for entry in entries.values():
        groups.setdefault((entry.classes, entry.excluded), []).append(entry)
    system = read_text(options.system) if options.system else ""
    stem = options.name or _stem(path)
    alone = bool(options.name) and len(groups) == 1
    specs = [
        _spec(options.name if alone else _domain(stem, *group), members, system)
        for group, members in groups.items()
    ]
    return sorted(specs, key=lambda spec: spec.domain)


# --- files ------------------------------------------------------------------------------------


def _question_files(path: Path) -> list[Path]:
    whole = path.resolve()
    if ANSWERS in (whole.name, whole.parent.name):
        named = whole.parent if whole.name == ANSWERS else whole.parent.parent / whole.name
        help = f"name what lies above `{ANSWERS}/`: `{named}`"
        raise SourceFault(str(path), None, "", "these are answers, and no questions", help)
    if not path.is_dir():
        return [path]
    files = sorted(path.glob(QUESTIONS))
    if not files:
        help = f"name BFCL's data folder, or one question file such as `{QUESTIONS}`"
        raise SourceFault(str(path), None, "", "no multi-turn question file in here", help)
    return files


def _stem(path: Path) -> str:
    """`bfcl` for a folder; `bfcl_miss_func` for `BFCL_v4_multi_turn_miss_func.json`."""
    if path.is_dir():
        return "bfcl"
    words = name_of(path.name.removesuffix(".gz").removesuffix(".json"), otherwise="bfcl")
    kind = words.partition("multi_turn_")[2]
    return f"bfcl_{kind}" if kind else words


def _answers(path: Path) -> dict[str, Found]:
    """The ground truth of every entry of a file, by id."""
    if not path.is_file():
        help = f"put the answers into `{ANSWERS}/` beside the questions, under the same name"
        raise SourceFault(str(path), None, "", "the ground truth is missing", help)
    return {found["id"].filled(): found["ground_truth"] for found in read_lines(path)}


# --- specs ------------------------------------------------------------------------------------


def _domain(stem: str, classes: Sequence[str], excluded: Sequence[str]) -> str:
    names = [BACKENDS[each].name if each in BACKENDS else name_of(each) for each in classes]
    without = ["without", *excluded] if excluded else []
    return name_of("_".join([stem, *names, *without]), otherwise="bfcl")


def _spec(domain: str, entries: Sequence[Entry], system: str) -> Spec:
    first = entries[0]
    limited = any(function.writes for function in first.functions)
    tasks = [_task(entry, limited) for entry in entries]
    used = {
        item.template
        for task in tasks
        for turn in task.turns
        for item in turn.items
        if isinstance(item, Use)
    }
    opened: defaultdict[str, list[str]] = defaultdict(list)
    for call, key, _ in _misfits(entries):
        opened[call.function.name].append(key)
    what = " and ".join(
        BACKENDS[each].title if each in BACKENDS else each for each in first.classes
    )
    without = f", without {', '.join(first.excluded)}" if first.excluded else ""
    return Spec(
        domain=domain,
        title=f"BFCL multi-turn: {what}{without}",
        tools=[function.tool(opened[function.name]) for function in first.functions],
        system=system,
        templates=[template for name, template in turns.TEMPLATES.items() if name in used],
        tasks=tasks,
        note=_note(limited, any(function.defaults for function in first.functions)),
        unsaid=list(_unsaid(entries)),
    )


def _note(limited: bool, defaults: bool) -> str:
    lines = [
        "Made from the multi-turn tasks of the Berkeley Function-Calling Leaderboard (BFCL). Every "
        "call of the ground truth is an item, reads included; within a turn they may come in any "
        "order."
    ]
    if limited:
        lines[0] += (
            " A turn with a call that changes something and is none of the ground truth's, or is "
            "one once more, is worth 0."
        )
    if defaults:
        lines += [
            "",
            "`not x != D` lets an optional argument be left out, or be written as D, its default.",
        ]
    return "\n".join(lines)


def _task(entry: Entry, limited: bool) -> Task:
    drafts: list[Turn] = []
    recorded: list[RecordedTurn] = []
    for number, (user, calls) in enumerate(zip(entry.users, entry.calls, strict=True)):
        taken = [turn.name for turn in drafts]
        added = entry.held.get(number)
        note = f"From here on, the agent has {', '.join(added)} too." if added else ""
        if calls:
            name = turns.turn_name(calls, taken)
            drafts.append(turns.acting_turn(name, user, calls, limited, note))
            steps = turns.acting_steps(calls, number)
        else:
            idle = _idle(entry, number)
            name = name_of(idle.turn, taken)
            drafts.append(turns.idle_turn(name, user, idle, limited, note))
            steps = (Step(reply=idle.reply),)
        recorded.append(RecordedTurn(user, steps))
    return Task(
        name=task_name(entry.id),
        title=shorten(entry.users[0], TITLE, placeholder="…") if entry.users else "",
        turns=tuple(drafts),
        recordings=(Trajectory(entry.id, task_name(entry.id), tuple(recorded)),),
    )


def _idle(entry: Entry, turn: int) -> turns.Idle:
    """Why nothing is to be called: the next turn brings the tools, or tells the details.

    In `miss_param` files a turn may be empty for another reason; nothing tells the two apart, and
    the question that the judge is asked there covers both.
    """
    if turn + 1 in entry.held and entry.users[turn] != MORE_FUNCTIONS:
        return turns.without_tools(entry.missing(turn))
    return turns.WITHOUT_DETAILS if "miss_param" in entry.category else turns.WITHOUT_REASON


def _values(entries: Sequence[Entry]) -> Iterator[Any]:
    """The arguments of the ground truth."""
    for entry in entries:
        for call in (call for calls in entry.calls for call in calls):
            yield from call.arguments.values()


def _misfits(entries: Sequence[Entry]) -> Iterator[tuple[turns.Reference, str, str]]:
    """Calls of the ground truth that their documents do not allow: the argument, and a sentence."""
    for entry in entries:
        for call in (call for calls in entry.calls for call in calls):
            for key, wrong in misfits(call.arguments, call.function):
                yield call, key, f"`{entry.id}`: the ground truth {wrong}. The tool takes anything."


# --- report -----------------------------------------------------------------------------------


def _unsaid(entries: Sequence[Entry]) -> Iterator[str]:
    """What the entries say and their spec does not, a sentence each."""
    yield (
        "BFCL runs the calls and compares the state of its backend and the results after each "
        "turn. The spec compares the calls: another way to the same state earns less, and a change "
        "that failed and is tried again counts as one too many."
    )
    yield "BFCL lets a read of an earlier turn count for a later one; the spec wants it in each."
    yield (
        "Where changes depend on each other, only one order of a turn's calls leads to BFCL's "
        "state; the spec takes every order."
    )
    if any(isinstance(value, list) for value in _values(entries)):
        yield (
            "A list must have its order, unless its document names the choices (such as the doors "
            "of a car): no document says whether order counts."
        )
    yield (
        "The ground truth has no replies: those in the recordings are the importer's, and no item "
        "asks about them in turns that call something."
    )
    if any(entry.has_state for entry in entries):
        yield (
            "The state in which the backend begins (`initial_config`). The recordings hold no tool "
            "results either: `simulate` needs a `python` or an `llm` backend to answer."
        )
    if any("long_context" in entry.category for entry in entries):
        yield (
            "In `long_context` tasks BFCL's backend adds long, irrelevant data to its results; "
            "here they are like the `base` tasks."
        )
    yield "What the functions return (`response` of their documents), and the entries' `path`."
    for entry in entries:
        for turn, names in entry.held.items():
            yield (
                f"`{entry.id}`: the agent gets {', '.join(f'`{each}`' for each in names)} at "
                f"turn {turn} (from 0); the spec's tools hold them throughout."
            )
        for turn, calls in enumerate(entry.calls):
            if not calls and _idle(entry, turn) == turns.WITHOUT_REASON:
                yield f"`{entry.id}`: the ground truth does not say why turn {turn} calls nothing."
    for _, _, sentence in _misfits(entries):
        yield sentence
    for function in entries[0].functions:
        if function.effect is None:
            yield (
                f"Whether `{function.name}` of {function.owner} changes anything is not known: it "
                "is taken to write."
            )
