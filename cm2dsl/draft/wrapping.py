"""Checks on as many lines as they take."""

from __future__ import annotations

import re

WIDTH = 100
INDENT = "  "

# A check in pieces that may stand on lines of their own: after a comma, and before `and` and `or`.
# Strings and regular expressions are never broken.
BREAKS = re.compile(
    r'(?:"(?:[^"\\]|\\.)*"|/(?:[^/\\\n]|\\.)+/|(?! (?:and|or|except) )[^",])+(?:, ?)?|, ?| ',
    re.DOTALL,
)
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|/(?:[^/\\\n]|\\.)+/', re.DOTALL)


def filled(first: str, check: str) -> list[str]:
    """A check after `first`, on as many lines as it takes.

    A call stands on a line of its own, and what goes on inside its brackets is indented below it.
    """
    margin = " " * (len(first) - len(first.lstrip())) + INDENT * 2
    lines, line = [], first
    for part in _calls(check):
        if len(line) + len(part.rstrip()) > WIDTH and line.strip() and line != first:
            lines.append(line.rstrip())
            line = margin
        for piece in BREAKS.findall(part):
            if len(line) + len(piece.rstrip()) > WIDTH and line.strip() and line != first:
                lines.append(line.rstrip())
                line = margin + INDENT
            line += piece
    return [*lines, line.rstrip()]


def _calls(check: str) -> list[str]:
    """A check in pieces that may be broken, but not inside brackets."""
    calls: list[str] = []
    depth = 0
    for piece in BREAKS.findall(check):
        if depth:
            calls[-1] += piece
        else:
            calls.append(piece)
        bare = QUOTED.sub("", piece)
        depth += sum(bare.count(c) for c in "([") - sum(bare.count(c) for c in ")]")
    return calls
