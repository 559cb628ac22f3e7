"""The words that a task's items look for, as an agent knows them that has learnt them by heart.

It knows the text of the spec: questions, what passes, and every text and pattern that a check wants
to be said. Of the rows it knows what stands in few of them: a column that has at most LEARNT
different values is learnt with the spec (a word for yes in two languages), and one that has more
is not (a booking's number).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cm2dsl import ir
from cm2dsl.checks import show
from cm2dsl.floor.pattern import text_for

LEARNT = 8
"""Different values of a column that are learnt by heart, at most."""


def recited(items: Sequence[ir.Item], rows: Sequence[ir.Row] | None, user: str) -> str:
    """Everything that the items want to be said, in one text, with the user's own words.

    What a pattern wants at the beginning of a reply comes first, what it wants at the end last.
    """
    said = {user: 0}
    for item in items:
        wanted = item.kind != "never"
        for text, place in _of_check(item.expr, wanted, rows) if item.expr is not None else ():
            said.setdefault(text, place)
        for asked in (item.ask, *item.passes):
            if asked is not None:
                said |= dict.fromkeys(_known(asked, rows, in_parts=True), 0)
    return "\n".join(sorted((text for text in said if text), key=lambda text: said[text]))


def _of_check(
    check: ir.Check, wanted: bool, rows: Sequence[ir.Row] | None
) -> Iterator[tuple[str, int]]:
    """What a check wants to be said, with its place: -1 first, 1 last."""
    match check:
        case ir.Not():
            yield from _of_check(check.of, not wanted, rows)
        case ir.And() | ir.Or():
            for part in check.of:
                yield from _of_check(part, wanted, rows)
        case ir.ReplyContains() if wanted:
            for text in _values(check.value, rows):
                yield text, 0
        case ir.ReplyMatches() if wanted:
            found = text_for(check.pattern)
            if found is not None:
                yield found, _place(check.pattern)
        case _:
            return


def _place(pattern: str) -> int:
    if pattern.startswith(("^", r"\A")):
        return -1
    return 1 if pattern.endswith(("$", r"\Z")) else 0


def _values(value: ir.Value, rows: Sequence[ir.Row] | None) -> list[str]:
    match value:
        case ir.Constant():
            return [show(value.value)]
        case ir.RowRef():
            return _known((value,), rows)
        case ir.Filled():
            return _known(value.text, rows, in_parts=True)
        case _:
            return []


def _known(text: ir.Text, rows: Sequence[ir.Row] | None, in_parts: bool = False) -> list[str]:
    """The text as the rows fill it, where that is in few ways; else its own parts, if asked for."""
    if all(isinstance(part, str) for part in text):
        return [ir.fill(text, None)]
    found: dict[str, None] = {}
    for row in rows or ():
        found[_filled(text, row)] = None
        if len(found) > LEARNT:
            own = [part.strip() for part in text if isinstance(part, str)]
            return [part for part in own if part] if in_parts else []
    return list(found)


def _filled(text: ir.Text, row: ir.Row) -> str:
    """As `ir.fill`; a value that cannot be said, such as a list, is nothing."""
    parts = (part if isinstance(part, str) else ir.look_up(part, row) for part in text)
    return "".join(show(part) if not isinstance(part, dict | list) else "" for part in parts)
