"""Workflow commands, which GitHub shows at the lines of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.diagnostic import HIDDEN, Diagnostic
from cm2dsl.report.place import file_of, notes_of


def show(found: Sequence[Diagnostic]) -> str:
    return "".join(_command(one) for one in found)


def _command(one: Diagnostic) -> str:
    span = one.span
    end_line, end_column = span.source.position(span.stop)
    place = {"file": file_of(span.source), "line": span.line, "endLine": end_line}
    if end_line == span.line:  # over several lines GitHub has no columns
        place |= {"col": span.column, "endColumn": end_column}
    values = ",".join(
        f"{key}={_property(str(value))}" for key, value in (place | {"title": one.title}).items()
    )
    parts = [one.message, *notes_of(one), *([one.help] if one.help else [])]
    return f"::{one.severity} {values}::{_data(chr(10).join(parts))}\n"


def _data(text: str) -> str:
    shown = text.translate(HIDDEN)
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
