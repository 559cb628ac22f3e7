"""Workflow commands, which GitHub shows at the lines of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.lint.run import Found


def show(found: Sequence[Found]) -> str:
    return "".join(_command(one) for one in found)


def _command(one: Found) -> str:
    span = one.finding.span
    end_line, end_column = span.source.position(span.stop)
    place = {
        "file": span.source.name,
        "line": span.line,
        "endLine": end_line,
        "col": span.column,
        "endColumn": end_column,
        "title": f"{one.code} {one.name}",
    }
    values = ",".join(f"{key}={_property(str(value))}" for key, value in place.items())
    text = _data(f"{one.finding.message}\n{one.finding.help}")
    return f"::{one.severity} {values}::{text}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
