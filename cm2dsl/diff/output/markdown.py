"""For a comment on a pull request: a headline, and a part for each task that folds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.diff.output import words
from cm2dsl.diff.report import Diff, Note, SpecDiff, TaskDiff

MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~])")


def show(diff: Diff) -> str:
    said = {
        "NONE": "nothing changed",
        "TEXT": "no reward and no prompt of the judge changes",
        "JUDGE": "the judge is asked something else",
        "REWARD": "what dialogues earn changes",
    }[diff.impact.name]
    lines = [f"### `cm2c diff`: {diff.impact.name}", "", f"{said[0].upper()}{said[1:]}."]
    for spec in diff.specs:
        if spec.impact:
            lines += _spec(spec, several=len(diff.specs) > 1)
    return "\n".join(lines) + "\n"


def _spec(spec: SpecDiff, several: bool) -> Iterator[str]:
    if several:
        yield from ("", f"#### {_plain(spec.file)}: {spec.impact.name}")
    yield from _notes(spec.notes)
    for names, impact, body in words.together(spec.tasks, _task):
        opened = " open" if impact == "REWARD" else ""
        title = f"<b>{impact}</b> task{'s' if len(names) > 1 else ''} {_html(', '.join(names))}"
        yield from ("", f"<details{opened}><summary>{title}</summary>")
        yield from body
        yield from ("", "</details>")
    if spec.same and spec.tasks:
        yield from ("", f"{spec.same} other task{'s' if spec.same != 1 else ''} unchanged.")


def _task(task: TaskDiff) -> Iterator[str]:
    yield from _notes(task.notes)
    if words.alike(task.proofs) and task.proofs:
        yield from ("", f"What a dialogue is credited: {words.unchanged(task)}.")
    elif task.proofs:
        yield from _proofs(task)


def _notes(notes: tuple[Note, ...]) -> Iterator[str]:
    for heading, title in words.HEADINGS.items():
        found = [note for note in notes if note.heading == heading]
        if found:
            yield from ("", f"{title[0].upper()}{title[1:]}:", "")
            for note in found:
                place = f"**{_plain(note.place)}** " if note.place else ""
                yield f"- {place}{_plain(note.text)}"


def _proofs(task: TaskDiff) -> Iterator[str]:
    yield from ("", "| credit by | | counterexample |", "|---|---|---|")
    above = None
    for proof in task.proofs:
        level = f"**{proof.level}**" if proof.own else proof.level
        shown = "<br>".join(_plain(line) for line in words.example(proof, above))
        yield f"| {level} | {_plain(words.verdict(proof, task))} | {shown} |"
        above = proof


def _plain(text: str) -> str:
    """Text in which nothing is markup, and of which a newline makes no line."""
    return MARKUP.sub(r"\\\1", " ".join(text.split()))


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
