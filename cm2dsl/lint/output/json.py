"""One JSON list, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cm2dsl.lint.rule import PAGE
from cm2dsl.lint.run import Found


def show(found: Sequence[Found]) -> str:
    return json.dumps([record(one) for one in found], ensure_ascii=False, indent=1) + "\n"


def record(one: Found) -> dict[str, Any]:
    """`{code, severity, message, file, line, column, end_line, end_column, help, url, fix}`.

    Lines and columns count from 1; `fix` is null, or has its edits as characters of the file, from
    0, and whether it is safe.
    """
    finding, span = one.finding, one.finding.span
    end_line, end_column = span.source.position(span.stop)
    fix = finding.fix
    return {
        "code": one.code,
        "severity": one.severity,
        "message": finding.message,
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": end_column,
        "help": finding.help,
        "url": PAGE.format(code=one.code),
        "fix": None
        if fix is None
        else {
            "message": fix.says,
            "safe": fix.safe,
            "edits": [{"start": e.start, "end": e.stop, "text": e.text} for e in fix.edits],
        },
    }
