"""What changed between two versions of a task, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cm2dsl import ir
from cm2dsl.diff.deciders import asked_otherwise, decider, difference, sameness
from cm2dsl.diff.implied import direction
from cm2dsl.diff.items import bare, role_notes, share_note, text_notes
from cm2dsl.diff.pairs import Rows, ScopePair
from cm2dsl.diff.report import Impact, Note
from cm2dsl.diff.shown import Changed


def task_notes(before: ir.Task, after: ir.Task) -> Iterator[Note]:
    if before.name != after.name:
        yield Note("text", "", f"renamed from `{before.name}`", Impact.TEXT)
    if before.title != after.title:
        yield Note("text", "", "title changed", Impact.TEXT)
    old, new = before.assign, after.assign
    if old.level != new.level:
        said = f"credit is given by {new.level}, no longer by {old.level}"
        yield Note("reward", "", said, Impact.REWARD)
    if old.scale != new.scale:
        yield Note("reward", "", f"scale {old.scale} → {new.scale}", Impact.REWARD)
    if old.unreached != new.unreached:
        said = f"unreached turns: {old.unreached} → {new.unreached}"
        yield Note("reward", "", said, Impact.NONE)
    if old.at != new.at:
        shown = ["all" if one is None else ", ".join(one) for one in (old.at, new.at)]
        yield Note("reward", "", f"at {shown[0]} → {shown[1]}", Impact.NONE)
    if before.simulated != after.simulated and before.simulated and after.simulated:
        yield Note("dialogues", "", "the simulated user is told something else", Impact.TEXT)
    if before.reference != after.reference:
        shown = [one or "none" for one in (before.reference, after.reference)]
        yield Note("dialogues", "", f"reference {shown[0]} → {shown[1]}", Impact.TEXT)


def other_turns(before: ir.Task, after: ir.Task) -> Iterator[Note]:
    if (before.simulated is None) != (after.simulated is None):
        now = "simulated" if after.simulated is not None else "scripted"
        yield Note("reward", "", f"the user is {now} now: dialogues are others", Impact.REWARD)
        return
    old, new = ([turn.name for turn in task.turns] for task in (before, after))
    for word, names, others in (("added", new, old), ("removed", old, new)):
        for name in names:
            if name not in others:
                yield Note("reward", name, f"turn {word}", Impact.REWARD)
    if set(old) == set(new):
        yield Note("reward", "", f"turns in another order: {', '.join(new)}", Impact.REWARD)


def turn_notes(turns: Sequence[tuple[ir.Turn, ir.Turn]]) -> Iterator[Note]:
    for old, new in turns:
        if old.name != new.name:
            yield Note("text", new.name, f"turn renamed from `{old.name}`", Impact.TEXT)
        if old.user != new.user:
            yield Note("dialogues", new.name, "the user says something else", Impact.TEXT)


def row_notes(before: ir.Task, after: ir.Task) -> Iterator[Note]:
    if (before.rows is None) != (after.rows is None):
        said = "rows taken away" if after.rows is None else "one task a row now"
        yield Note("reward", "", said, Impact.REWARD)
        return
    old, new = ({row.key: row for row in task.rows or ()} for task in (before, after))
    for word, keys in (
        ("added", [key for key in new if key not in old]),
        ("removed", [key for key in old if key not in new]),
    ):
        if keys:
            yield Note("reward", "", f"{_counted(keys, 'row')} {word}: {few(keys)}", Impact.REWARD)
    both = [key for key in new if key in old]
    values = [
        key for key in both if (old[key].values, old[key].text) != (new[key].values, new[key].text)
    ]
    if values:
        said = f"{_counted(values, 'row')} changed: {few(values)}"
        yield Note("dialogues", "", said, Impact.TEXT)
    split = [key for key in both if old[key].split != new[key].split]
    if split:
        said = f"{_counted(split, 'row')} moved between train and heldout: {few(split)}"
        yield Note("dialogues", "", said, Impact.TEXT)


def _counted(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}{'s' if len(things) != 1 else ''}"


def few(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def scope_notes(
    scope: ScopePair,
    names: dict[str, str],
    rows: Rows,
    changed: list[Changed],
) -> Iterator[Note]:
    for item in scope.items.come:
        yield Note("reward", f"{scope.after}.{item.name}", "item added", Impact.NONE)
    for item in scope.items.gone:
        yield Note("reward", f"{scope.before}.{item.name}", "item removed", Impact.NONE)
    for pair in scope.items.pairs:
        place = f"{scope.after}.{pair.after.name}"
        if pair.before.name != pair.after.name:
            guess = ", probably" if pair.how == "likely" else ""
            said = f"renamed from `{pair.before.name}`{guess}"
            yield Note("text", place, said, Impact.TEXT)
        yield from role_notes(place, pair.before, pair.after, names)
        yield from text_notes(place, pair.before, pair.after)
        notes = list(_decider_notes(place, pair.before, pair.after, rows))
        if any(note.heading == "reward" for note in notes):
            changed.append((scope.before, pair.before, scope.after, pair.after))
        yield from notes
    shares = share_note(scope.after, [(pair.before, pair.after) for pair in scope.items.pairs])
    if shares is not None:
        yield shares


def _decider_notes(place: str, before: ir.Item, after: ir.Item, rows: Rows) -> Iterator[Note]:
    kinds: dict[str, list[tuple[ir.Row | None, ir.Row | None]]] = {}
    for old, new in rows:
        kinds.setdefault(sameness(decider(before, old), decider(after, new)), []).append((old, new))
    for kind, heading, said, impact in (
        ("other", "reward", difference, Impact.NONE),
        ("asked otherwise", "judge", asked_otherwise, Impact.JUDGE),
    ):
        if kind not in kinds:
            continue
        lines = said(before, after, None)
        if not lines:  # what is written is the same: the rows are not
            keys = [new.key for _, new in kinds[kind] if new is not None]
            lines = [f"another value in {_counted(keys, 'row')}: {few(keys)}"]
        if kind == "other":
            both = ((decider(before, old), decider(after, new)) for old, new in kinds[kind])
            lines += filter(None, [direction(both)])
        for line in lines:
            yield Note(heading, place, line, impact)  # type: ignore[arg-type]
    if "same" in kinds and len(kinds) == 1 and bare(before).expr != bare(after).expr:
        yield Note("text", place, "check written otherwise: it says the same", Impact.TEXT)


def with_dialogues(
    notes: list[Note],
    changed: Sequence[Changed],
    told: Mapping[int, str],
    count: int,
) -> list[Note]:
    """The notes, with what dialogues at hand say of changed checks behind those of each item."""
    for number, (_, _, scope, item) in enumerate(changed):
        place = f"{scope}.{item.name}"
        said = (
            f"shown by {told[number]}"
            if number in told
            else f"no dialogue at hand shows it ({count} tried)"
        )
        last = max(
            i for i, note in enumerate(notes) if note.place == place and note.heading == "reward"
        )
        notes = [*notes[: last + 1], Note("reward", place, said, Impact.NONE), *notes[last + 1 :]]
    return notes
