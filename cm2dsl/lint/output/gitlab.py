"""GitLab's code quality report."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.lint.fingerprint import fingerprints
from cm2dsl.report.place import lines_of

SEVERITIES = {"error": "major", "warning": "minor"}


def show(found: Sequence[Diagnostic]) -> str:
    report = []
    for one, mark in zip(found, fingerprints(found), strict=True):
        place = lines_of(one.span)
        report.append(
            {
                "description": f"{one.message}; {one.help}" if one.help else one.message,
                "check_name": one.title,
                "fingerprint": mark,
                "severity": SEVERITIES[one.severity],
                "location": {
                    "path": place["file"],
                    "lines": {"begin": place["line"], "end": place["end_line"]},
                },
            }
        )
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"
