"""Files written whole: beside the old one first, with its mode, then in its place."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
"""A line and its end."""


class Unwritten(click.ClickException):
    """A file that cannot be written. The exit code is not that of what a command looks for."""

    exit_code = 2


def write_beside(path: Path, text: str) -> None:
    """Write a file, or replace its text. Raises Unwritten where it cannot be written."""
    try:
        real = path.resolve()
    except RuntimeError:  # of Python before 3.13
        raise Unwritten(f"cannot write `{path}`: its links lead in a circle") from None
    fresh = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        with fresh.open("x", encoding="utf-8", newline="\n") as file:  # it may be no one else's
            try:
                file.write(text)
                file.close()
                if real.exists():
                    fresh.chmod(real.stat().st_mode)
                fresh.replace(real)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
    except OSError as error:
        reason = (error.strerror or "it failed").lower()
        raise Unwritten(f"cannot write `{path}`: {reason}") from None


def as_written(raw: bytes, text: str) -> str:
    """A new text of a file with the byte order mark and the ends of lines of the old one.

    Where the old one has several kinds of ends, a line that stays keeps its own, and one that is
    new takes that of the first line.
    """
    old = raw.decode("utf-8")
    mark = "\ufeff" if old.startswith("\ufeff") else ""
    before = LINE.findall(old.removeprefix(mark))
    ends = [end for _, end in before if end]
    if set(ends) <= {"\n"}:
        return mark + text
    if len(set(ends)) == 1:
        return mark + text.replace("\n", ends[0])
    from difflib import SequenceMatcher  # seldom needed

    lines = text.split("\n")
    new = [ends[0]] * (len(lines) - 1) + [""]
    blocks = SequenceMatcher(None, [line for line, _ in before], lines, autojunk=False)
    for at, to, size in blocks.get_matching_blocks():
        for step in range(size):
            if to + step < len(lines) - 1:
                new[to + step] = before[at + step][1] or ends[0]
    return mark + "".join(line + end for line, end in zip(lines, new, strict=True))
