"""Places as programs name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.source import Source, Span


def file_of(source: Source) -> str:
    """The file from the working folder on, with `/` between folders; a whole path outside it."""
    path = Path(source.name)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


def lines_of(span: Span) -> dict[str, Any]:
    """`{file, line, column, end_line, end_column}`: lines and columns count from 1."""
    end_line, end_column = span.source.position(span.stop)
    return {
        "file": file_of(span.source),
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
    }


def notes_of(one: Diagnostic) -> list[str]:
    """What is said of related places, a line each."""
    return [
        f"{file_of(span.source)}:{span.line}:{span.column}: {note}" for span, note in one.related
    ]
