"""A diagnostic as JSON has it."""

from __future__ import annotations

from typing import Any

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.place import lines_of


def record(one: Diagnostic) -> dict[str, Any]:
    """The object of one: code, severity, message, file, line, column, end_line, end_column, help …

    Lines and columns count from 1. `related` are places with a `message`. `fix` is null, or has its
    edits as characters of the file, from 0, and whether it is safe.
    """
    return {
        "code": one.code,
        "severity": one.severity,
        "message": one.message,
        **lines_of(one.span),
        "help": one.help,
        "related": [lines_of(span) | {"message": note} for span, note in one.related],
        "url": one.url,
        "fix": None
        if one.fix is None
        else {
            "message": one.fix.says,
            "safe": one.fix.safe,
            "edits": [{"start": e.start, "end": e.stop, "text": e.text} for e in one.fix.edits],
        },
    }
