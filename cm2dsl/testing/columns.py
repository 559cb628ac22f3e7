"""Lines of cells that stand under each other on a terminal, wide letters included."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

SPACE = "  "


def width(text: str) -> int:
    """Columns that a text takes."""
    return sum(_width(char) for char in text)


def columns(rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """A line a row; `right` has a letter a column, `r` where its cells stand to the right."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    sides = right.ljust(len(widths))
    lines = []
    for row in rows:
        cells = [
            " " * (wide - width(cell)) + cell if side == "r" else cell + " " * (wide - width(cell))
            for cell, wide, side in zip(row, widths, sides, strict=True)
        ]
        lines.append(SPACE.join(cells).rstrip())
    return lines


def shortened(text: str, longest: int) -> str:
    """The text on one line, and where it is longer than that, without its middle."""
    flat = " ".join(text.split())
    if len(flat) <= longest:
        return flat
    head = longest * 2 // 3
    return f"{flat[:head].rstrip()} […] {flat[head - longest :].lstrip()}"


def counted(count: int, what: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
