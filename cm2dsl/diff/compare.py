"""Two versions of a task compared: what changed, and what that does to its credit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.diff.items import NOWHERE, bare
from cm2dsl.diff.notes import (
    other_turns,
    row_notes,
    scope_notes,
    task_notes,
    turn_notes,
    with_dialogues,
)
from cm2dsl.diff.pairs import common_rows, match_turns, scope_pairs
from cm2dsl.diff.proofs import prove
from cm2dsl.diff.report import Impact, Note, Proof, TaskDiff
from cm2dsl.diff.shown import Changed

Shown = Callable[[Sequence[Changed]], tuple[Mapping[int, str], int]]
"""For changed items: dialogues at hand that tell them apart, and how many there are."""


def compare_tasks(before: ir.Task, after: ir.Task, shown: Shown) -> TaskDiff:
    """What changed between two versions of a task."""
    notes = [*task_notes(before, after), *row_notes(before, after)]
    turns = match_turns(before, after)
    if turns is None:
        notes += other_turns(before, after)
        return _diff(before, after, notes, ())
    scopes = scope_pairs(before, after)
    notes += turn_notes(turns)
    rows = common_rows(before, after)
    changed: list[Changed] = []
    names = {
        f"{scope.before}.{pair.before.name}": f"{scope.after}.{pair.after.name}"
        for scope in scopes
        for pair in scope.items.pairs
    }
    for scope in scopes:
        notes += scope_notes(scope, names, rows, changed)
    if changed:
        notes = with_dialogues(notes, changed, *shown(changed))
    proofs = prove(before, after, scopes, rows) if _to_prove(before, after) else ()
    return _diff(before, after, notes, proofs, len(rows))


def _diff(
    before: ir.Task,
    after: ir.Task,
    notes: Sequence[Note],
    proofs: tuple[Proof, ...],
    rows: int = 0,
) -> TaskDiff:
    said = max((note.impact for note in notes), default=Impact.NONE)
    if notes:
        said = max(said, Impact.TEXT)
    credited = any(proof.verdict != "same" for proof in proofs)
    return TaskDiff(
        before.name,
        after.name,
        max(said, Impact.REWARD if credited else Impact.NONE),
        tuple(notes),
        proofs,
        rows,
    )


def _to_prove(before: ir.Task, after: ir.Task) -> bool:
    """Whether anything changed that credit may depend on."""
    if before.rows != after.rows:
        return True
    return _bare(before) != _bare(after)


def _bare(task: ir.Task) -> ir.Task:
    return replace(
        task,
        place=NOWHERE,
        title="",
        reference=None,
        simulated=None,
        turns=tuple(
            replace(turn, user=(), place=NOWHERE, items=tuple(map(bare, turn.items)))
            for turn in task.turns
        ),
        items=tuple(map(bare, task.items)),
    )
