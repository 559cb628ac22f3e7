"""A spec as the CM2 paper's annotated JSON (annotated.py has the format).

What `cm2 import cm2-json` has made comes back item by item. Any other spec is written as far as the
format goes: a task (of each of its rows) is a dialogue, with its first recording or, without one,
with what the user says; an item that only code decides becomes a question about its check.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cm2 import annotated
from cm2.exporters import Export, ExportError
from cm2.exporters.check_words import in_words
from cm2.exporters.written import Written, open_written
from cm2.trajectory import Trajectory, Turn
from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.instance import Instance, instances
from cm2dsl.trajectory import segments

HELP = "the CM2 paper's annotated dialogues"

WHEN = {
    "item": "Is this so at some step of the turn",
    "always": "Is this so after every step of the turn",
    "never": "Is it true that this never becomes so in the turn",
    "at_end": "Is this so when the turn ends",
}
"""What is asked of a check, by the kind of its item."""


def write(path: Path) -> Export:
    """The dialogues of a spec. Raises ExportError, CompileError, BundleError, OSError."""
    written = open_written(path)
    lost: Lost = {}
    entries: dict[tuple[str, int], dict[str, Any]] = {}
    for number, instance in enumerate(instances(written.spec)):
        if not instance.task.turns:
            _lose(lost, "tasks without scripted turns have no checklists", instance.task.name)
            continue
        trajectory, residue = _recording(instance, written, lost)
        variant = residue.get("variant")
        first = number if variant is None else _first(entries, trajectory, variant, residue, number)
        checklist = _checklist(instance, trajectory, residue, written, lost)
        key = (trajectory.id, first)
        if key not in entries:
            entries[key] = _entry(trajectory, residue, written)
        _add(entries[key], checklist, residue)
    if not entries:
        help = "write a task with turns: a checklist belongs to a turn"
        raise ExportError(f"`{path}` has no task that the format has a place for", help)
    for what in _settings(written.spec):
        _lose(lost, what)
    text = json.dumps(list(entries.values()), ensure_ascii=False, indent=2) + "\n"
    return Export(text, tuple(_sentence(reason, names) for reason, names in lost.items()))


def _first(
    entries: Mapping[tuple[str, int], dict[str, Any]],
    trajectory: Trajectory,
    variant: int,
    residue: Mapping[str, Any],
    number: int,
) -> int:
    """The number of the task that holds the first variant of the same dialogue."""
    before = [first for id, first in entries if id == trajectory.id]
    alone = residue.get("single") or variant == 0
    return before[-1] if before and not alone else number


# --- dialogues ------------------------------------------------------------------------------------


def _recording(
    instance: Instance, written: Written, lost: Lost
) -> tuple[Trajectory, Mapping[str, Any]]:
    """The dialogue of a task, and its residue, which is empty where it was not imported."""
    task = instance.task
    found = written.recordings.get(instance.id, ())
    if len(found) > 1:
        _lose(lost, "of several recordings, the first is written", task.name)
    if found:
        kept = found[0].extra.get(annotated.RESIDUE)
        return found[0], kept if isinstance(kept, dict) else {}
    _lose(lost, "without a recording, a dialogue holds the user's words alone", instance.id)
    turns = tuple(Turn(ir.fill(turn.user, instance.row)) for turn in task.turns)
    return Trajectory(instance.id, instance.id, turns, system=written.spec.system), {}


def _entry(trajectory: Trajectory, residue: Mapping[str, Any], written: Written) -> dict[str, Any]:
    messages = annotated.messages_of(trajectory)
    entry = {
        "uuid": trajectory.id,
        "messages": annotated.restored_messages(messages, residue.get("messages", {})),
        "tools": written.tools,
    }
    for key in residue.get("absent", ()):
        entry.pop(key, None)
    return entry | dict(residue.get("more", {}))


def _add(
    entry: dict[str, Any], checklist: list[list[dict[str, Any]]], residue: Mapping[str, Any]
) -> None:
    if residue.get("single"):
        entry["checklist"] = checklist
    else:
        entry.setdefault("checklists", []).append(checklist)


# --- checklists -----------------------------------------------------------------------------------


def _checklist(
    instance: Instance,
    trajectory: Trajectory,
    residue: Mapping[str, Any],
    written: Written,
    lost: Lost,
) -> list[list[dict[str, Any]]]:
    task = instance.task
    kept: Mapping[str, Any] = residue.get("items", {})
    ids = _ids(task, kept)
    for name in kept:
        if name not in ids:
            what = (
                "items that are no more have left something in the recording, which is not written"
            )
            _lose(lost, what, f"{task.name}.{name}")
    checklist = []
    for turn in task.turns:
        own = {item.name: ids[f"{turn.name}.{item.name}"] for item in turn.items}
        items = []
        for item in turn.items:
            full = f"{turn.name}.{item.name}"
            plain = annotated.plain_item(
                own[item.name],
                _evidence(item, instance.row, trajectory, kept.get(full, {})),
                item.focus,
                _question(item, instance.row),
                _passes(item, instance.row),
                [ir.fill(text, instance.row) for text in item.fails],
                item.strict,
                _dependence(item, turn, own, ids, task, lost),
                _weight(item, turn, task, written),
            )
            items.append(annotated.restored(plain, kept.get(full, {})))
            for what in _lost_of(item):
                _lose(lost, what, f"{task.name}.{full}")
        checklist.append(items)
    for item in task.items:
        what = "a checklist has no items of the whole dialogue"
        _lose(lost, what, f"{task.name}.{DIALOGUE}.{item.name}")
    wanted = residue.get("turns", len(checklist))
    while len(checklist) > wanted and not checklist[-1]:
        checklist.pop()
    return checklist


def _ids(task: ir.Task, kept: Mapping[str, Any]) -> dict[str, str]:
    """The paper's id of every item of a turn, by full name; each stands once in its turn."""
    ids: dict[str, str] = {}
    for turn in task.turns:
        names = [f"{turn.name}.{item.name}" for item in turn.items]
        given = {name: kept[name]["id"] for name in names if "id" in kept.get(name, {})}
        taken = set(given.values())
        for index, name in enumerate(names):
            number = index
            while name not in given and annotated.item_id(number) in taken:
                number += 1
            ids[name] = given.get(name, annotated.item_id(number))
            taken.add(ids[name])
    return ids


def _evidence(
    item: ir.Item, row: ir.Row | None, trajectory: Trajectory, kept: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The anchors that stand in this dialogue, as evidence."""
    plain = []
    for anchor in item.anchors:
        words = ir.fill(anchor.text, row)
        for segment in segments(trajectory):
            if segment.channel == anchor.channel and words in segment.text:
                plain.append(annotated.evidence_of(trajectory, segment, words))
                break
    return annotated.restored_evidence(plain, kept.get("evidence"))


def _question(item: ir.Item, row: ir.Row | None) -> str:
    if item.ask is not None:
        return ir.fill(item.ask, row)
    return f"{WHEN[item.kind]}: {_check(item, row)}?"


def _passes(item: ir.Item, row: ir.Row | None) -> list[str]:
    if item.ask is not None:
        return [ir.fill(text, row) for text in item.passes]
    wanted = "It is never so that " if item.kind == "never" else ""
    words = wanted + _check(item, row)
    return [words[0].upper() + words[1:] + "."]


def _check(item: ir.Item, row: ir.Row | None) -> str:
    assert item.expr is not None  # an item without a question has a check
    return in_words(item.expr, row)


def _dependence(
    item: ir.Item,
    turn: ir.Turn,
    own: Mapping[str, str],
    ids: Mapping[str, str],
    task: ir.Task,
    lost: Lost,
) -> list[str]:
    """The ids of what an item comes after. Of an earlier turn, where the id says which is meant."""
    found = []
    for full in item.after:
        of, _, name = full.partition(".")
        if of == turn.name:
            found.append(own[name])
            continue
        earlier = [each.name for each in task.turns[: _place(task, turn)]]
        same = [each for each in earlier if _has(ids, each, ids[full])]
        if same == [of] and ids[full] not in own.values():
            found.append(ids[full])
        else:
            what = "that an item comes after one of another turn, whose id is not its own there"
            _lose(lost, what, f"{task.name}.{turn.name}.{item.name}")
    return found


def _place(task: ir.Task, turn: ir.Turn) -> int:
    return [each.name for each in task.turns].index(turn.name)


def _has(ids: Mapping[str, str], turn: str, id: str) -> bool:
    return any(name.startswith(f"{turn}.") and other == id for name, other in ids.items())


def _weight(item: ir.Item, turn: ir.Turn, task: ir.Task, written: Written) -> float:
    if written.weights is None:
        return item.weight
    return written.weights[task.name, turn.name, item.name]


# --- what is lost ---------------------------------------------------------------------------------


Lost = dict[str, list[str]]
"""What the format does not say, and of which tasks and items, if of some alone."""

MOST = 6
"""Names that one sentence lists."""


def _lose(lost: Lost, what: str, name: str = "") -> None:
    names = lost.setdefault(what, [])
    if name and name not in names:
        names.append(name)


def _sentence(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:MOST])
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return what + (f": {shown}{more}" if names else "")


def _lost_of(item: ir.Item) -> Iterator[str]:
    if item.expr is not None and item.ask is not None:
        yield "the check of an item that has a question too"
    elif item.expr is not None:
        yield "that code decides an item: its check is made a question"
    if item.ask is not None and item.kind != "item":
        yield f"that an item is `{item.kind}`"
    if item.veto:
        yield "that an item is a `veto`"
    if item.penalty:
        yield "the `penalty` of an item"
    if item.focus == "user":
        yield "the paper's judge does not focus on `user`"
    if len(item.passes) > 1:
        yield "that an item has several pass conditions: they are lines of one"


def _settings(spec: ir.Spec) -> Iterator[str]:
    if spec.judge != ir.JudgeProtocol():
        yield "`judge`: how often it votes, and what it sees"
    if spec.simulate != (ir.Replay(),):
        yield "`simulate`: who answers tool calls"
    if any(replace(task.assign, at=None) != ir.Assign() for task in spec.tasks):
        yield "`assign`: how verdicts become advantages"
    if any(_named(task.assign.at, task) for task in spec.tasks):
        yield "`assign`: which turns carry reward"
    if spec.user_tools:
        yield "`user tools`: the user's own tools"
    if spec.tests:
        yield "`test`: the tests"


def _named(at: Sequence[str] | None, task: ir.Task) -> bool:
    """Whether `at` says more than which turns have items."""
    with_items = [turn.name for turn in task.turns if turn.items]
    with_items += [DIALOGUE] * bool(task.items)
    return at is not None and Counter(at) != Counter(with_items)
