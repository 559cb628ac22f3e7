"""GitLab's code quality report."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cm2dsl.lint.fingerprint import fingerprints
from cm2dsl.lint.run import Found


def show(found: Sequence[Found]) -> str:
    report = [
        {
            "description": f"{one.finding.message}; {one.finding.help}",
            "check_name": f"{one.code} {one.name}",
            "fingerprint": mark,
            "severity": "major" if one.severity == "error" else "minor",
            "location": {
                "path": one.finding.span.source.name,
                "lines": {"begin": one.finding.span.line},
            },
        }
        for one, mark in zip(found, fingerprints(found), strict=True)
    ]
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"
