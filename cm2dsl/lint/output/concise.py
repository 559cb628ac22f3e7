"""A line each: `file:line:column: CODE message`."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.diagnostic import Diagnostic, one_line


def show(found: Sequence[Diagnostic]) -> str:
    return "".join(_line(one) for one in found)


def _line(one: Diagnostic) -> str:
    span = one.span
    line = f"{span.source.name}:{span.line}:{span.column}: {one.code} {one.message}"
    return one_line(line) + "\n"
