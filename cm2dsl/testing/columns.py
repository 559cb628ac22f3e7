"""Lines of cells that stand under each other on a terminal, wide letters included."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.diagnostic import char_width

SPACE = "  "


def width(text: str) -> int:
    """Columns that a text takes."""
    return sum(map(char_width, text))


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
