"""Source texts and places in them."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from msgspec import Struct


class Source(Struct, frozen=True, dict=True):
    """A text and the name it is reported under. Lines and columns count from 1."""

    path: Path
    name: str
    text: str

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        lengths = [len(line) + 1 for line in self.text.split("\n")]
        return (0, *accumulate(lengths[:-1]))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of one line, without its end."""
        start = self.line_starts[number - 1]
        stop = self.text.find("\n", start)
        return self.text[start : stop if stop >= 0 else len(self.text)].rstrip("\r")


def read_source(raw: bytes, path: Path, name: str) -> Source:
    """The text of a file, without a byte order mark and with one character between lines.

    What is not UTF-8 is replaced.
    """
    text = raw.decode("utf-8-sig", errors="replace")
    return Source(path, name, text.replace("\r\n", "\n").replace("\r", "\n"))


class Span(Struct, frozen=True, gc=False):
    """Characters `start` to `stop` (exclusive) of a source."""

    source: Source
    start: int
    stop: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]
