"""Plain-text tables, aligned also for wide (Chinese) characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def width(text: str) -> int:
    """Columns a text takes on a terminal."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows under a head; the columns named in `right` are aligned to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(width(cell) for cell in column) for column in columns]

    def line(cells: Sequence[str]) -> str:
        padded = []
        for index, (cell, wide) in enumerate(zip(cells, widths, strict=True)):
            gap = " " * (wide - width(cell))
            padded.append(gap + cell if index in right else cell + gap)
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * wide for wide in widths)
    return "\n".join([line(head), rule, *(line(row) for row in rows)])
