"""Where a brace is wrong, as the indentation tells it: the grammar finds out only later."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.lexemes import Lexeme
from cm2dsl.source import Source


def missing_brace(
    source: Source, found: Sequence[Lexeme], opened: Sequence[int], at: int
) -> int | None:
    """The lexeme up to `at` before which an open block should have ended.

    `opened` are the places in the text of the braces that are open, outermost first. The innermost
    block is asked first: it ends before the first line that stands no deeper than the line which
    opened it, and whose own brace it is not. None where no line is too far left.
    """
    for brace in reversed(opened):
        outer = _indent(_line(source, brace))
        for place, one in enumerate(found[: at + 1]):
            if one.start <= brace or not _begins_line(source, one.start):
                continue
            indent = _indent(_line(source, one.start))
            if indent < outer or (indent == outer and one.text != "}"):
                return place
    return None


def stray_brace(source: Source, found: Sequence[Lexeme], at: int) -> int | None:
    """The `}` before the lexeme `at` that closes a block whose lines go on.

    A brace that begins its line stands as far right as the line that opened its block; after one
    that ends its line, the next line stands no deeper than that. None where all look right.
    """
    opened: list[int] = []
    for place, one in enumerate(found[:at]):
        if one.text == "{":
            opened.append(_indent(_line(source, one.start)))
        elif one.text == "}":
            if not opened:
                return place
            outer = opened.pop()
            after = found[place + 1] if place + 1 < len(found) else None
            if _begins_line(source, one.start):
                if _indent(_line(source, one.start)) != outer:
                    return place
            elif (
                after is not None
                and _begins_line(source, after.start)
                and _indent(_line(source, after.start)) > outer
            ):
                return place
    return None


def _begins_line(source: Source, place: int) -> bool:
    return not source.text[source.text.rfind("\n", 0, place) + 1 : place].strip()


def _line(source: Source, place: int) -> str:
    return source.line(source.position(place)[0])


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
