"""For people: the level first, then file by file and task by task."""

from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.diff.output import words
from cm2dsl.diff.report import Diff, Note, SpecDiff, TaskDiff


def show(diff: Diff) -> str:
    lines = [f"{diff.impact.name}  {diff.before} → {diff.after}"]
    if not diff.impact:
        lines.append("nothing that is rewarded, judged or said is changed")
    for spec in diff.specs:
        if spec.impact:
            lines += ["", *_spec(spec, several=len(diff.specs) > 1)]
    return "\n".join(lines) + "\n"


def _spec(spec: SpecDiff, several: bool) -> Iterator[str]:
    if several:
        yield f"{spec.impact.name}  {spec.file}"
    yield from _notes(spec.notes, "  ")
    for number, (names, impact, body) in enumerate(words.together(spec.tasks, _task)):
        if number or several or spec.notes:
            yield ""
        yield f"{impact}  task{'s' if len(names) > 1 else ''} {', '.join(names)}"
        yield from body
    if spec.same and spec.tasks:
        yield ""
        yield f"{spec.same} other task{'s' if spec.same != 1 else ''} unchanged"


def _task(task: TaskDiff) -> Iterator[str]:
    yield from _notes(task.notes, "  ")
    if not task.proofs:
        return
    yield "  what a dialogue is credited"
    if words.alike(task.proofs):
        yield f"    {words.unchanged(task)}"
        return
    above = None
    for proof in task.proofs:
        mark = "*" if proof.own else " "
        yield f"   {mark}{proof.level:11} {words.verdict(proof, task)}"
        yield from (f"{'':17}{line}" for line in words.example(proof, above))
        above = proof


def _notes(notes: tuple[Note, ...], pad: str) -> Iterator[str]:
    for heading, title in words.HEADINGS.items():
        found = [note for note in notes if note.heading == heading]
        if found:
            yield f"{pad}{title}"
            yield from (f"{pad}  {words.said(note)}" for note in found)
