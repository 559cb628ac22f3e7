"""Specs made worse on purpose: flaws that lint mends, put into specs that have none."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from cm2dsl import nodes
from cm2dsl.lint.subject import Subject

Insertion = tuple[int, int, str]
"""Characters `start` to `stop` become a text."""

LIBRARY = "cm2 1\n\ntemplate never_used() { check replied }\n"
LIBRARY_NAME = "an unused library.cm2"


def flawed(subject: Subject, seed: int) -> str:
    """The text of a spec with some flaws, of every kind that can be put into it."""
    chance = random.Random(seed)
    made = [flaw for make in KINDS for flaw in make(subject, chance)]
    chosen = [flaw for flaw in made if chance.random() < 0.5]
    text, taken = subject.source.text, len(subject.source.text) + 1
    for start, stop, new in sorted(chosen, reverse=True):
        if stop < taken:
            text, taken = text[:start] + new + text[stop:], start
    return text


def unused_import(subject: Subject, chance: random.Random) -> Iterator[Insertion]:
    """An import of a library of which nothing is used, alone in its line or not."""
    statement = f'import "{LIBRARY_NAME}"'
    forms = [f"\n{statement}\n", f" {statement} ", f"\n\n{statement}  # for later\n\n", statement]
    after = subject.file.edition.span.stop
    yield after, after, chance.choice(forms[:3])
    first = subject.file.statements[0].span.start
    yield first, first, chance.choice([f"{statement} ", f"{statement}\n", f"{statement}#x\n\n"])


def last_strict(subject: Subject, chance: random.Random) -> Iterator[Insertion]:
    """`strict` in the last turn of a task."""
    for placed in subject.placed():
        turns = placed.task.turns
        if turns and turns[-1].name == placed.scope and not placed.item.strict:
            end = _head_end(placed.node)
            yield end, end, chance.choice([" strict ", "\n    strict  # why\n", "  strict "])


def repeated_anchor(subject: Subject, chance: random.Random) -> Iterator[Insertion]:
    """An anchor that stands twice in its item."""
    for criterion in subject.criteria():
        for entry in criterion.entries:
            if isinstance(entry, nodes.Anchor):
                span = entry.span
                written = span.source.text[span.start : span.stop]
                between = chance.choice([" ", "\n", "\n      # again\n      "])
                yield span.stop, span.stop, f"{between}{written}{chance.choice(['', ' '])}"


def implied_after(subject: Subject, chance: random.Random) -> Iterator[Insertion]:
    """What an item waits for anyhow, named in its `after` too."""
    for placed in subject.placed():
        names = {f"{placed.scope}.{one.name}": one for one in placed.items}
        for modifier in placed.node.modifiers:
            for ref in modifier.refs:
                full = ref.text if ref.turn is not None else f"{placed.scope}.{ref.text}"
                awaited = names.get(full)
                for more in awaited.after if awaited is not None else ():
                    if more not in placed.item.after:
                        end = ref.span.stop
                        yield end, end, f", {more}{chance.choice(['', ' ', '  # too' + chr(10)])}"


def stray_space(subject: Subject, chance: random.Random) -> Iterator[Insertion]:
    """White space around what is said to a judge, or twice inside it."""
    for _, entry in subject.said():
        span = entry.text.span
        written = span.source.text[span.start : span.stop]
        mark = '"""' if written.startswith('"""') else '"'
        if chance.random() < 0.5:
            place = chance.choice([span.start + len(mark), span.stop - len(mark)])
            yield place, place, chance.choice([" ", "  ", "\t", "\u3000"])
        elif " " in written:
            place = span.start + chance.choice([i for i, c in enumerate(written) if c == " "])
            yield place, place, " "


def _head_end(node: nodes.Item | nodes.Use) -> int:
    """Where a modifier can be added to an item."""
    if node.modifiers:
        return node.modifiers[-1].span.stop
    if isinstance(node, nodes.Use):
        return node.span.stop
    return node.name.span.stop


KINDS: tuple[Callable[[Subject, random.Random], Iterator[Insertion]], ...] = (
    unused_import,
    last_strict,
    repeated_anchor,
    implied_after,
    stray_space,
)
