"""One JSON object, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.place import lines_of
from cm2dsl.report.record import record
from cm2dsl.testing.points import KINDS, Point
from cm2dsl.testing.report import Report, Result, Share, overall


def show(reports: Sequence[Report], faults: Sequence[Diagnostic]) -> str:
    """`{faults, tests, coverage}` (docs/test.md)."""
    value = {
        "faults": [record(one) for one in faults],
        "tests": [_test(report.spec, one) for report in reports for one in report.results],
        "coverage": {
            **_share(overall(reports)),
            "specs": [_coverage(report) for report in reports],
        },
    }
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _test(spec: str, result: Result) -> dict[str, Any]:
    test = result.test
    return {
        "spec": spec,
        "name": test.block.name,
        "task": test.block.task,
        "row": test.block.row,
        "trajectory": test.block.trajectory,
        "status": result.status,
        "reward": result.reward,
        **lines_of(test.node.name.span),
        "said": [
            {
                "kind": one.kind,
                "message": one.complaint.message,
                "help": one.complaint.help or None,
                **lines_of(one.complaint.span),
                "story": list(one.story),
            }
            for one in result.said
        ],
    }


def _coverage(report: Report) -> dict[str, Any]:
    return {
        "spec": report.spec,
        **_share(report.whole),
        "kinds": {kind: _share(report.share(kind)) for kind in KINDS},
        "uncovered": [_point(point) for point in report.uncovered],
    }


def _point(point: Point) -> dict[str, Any]:
    kind, task, name, _, outcome = point.key
    return {
        "kind": kind,
        "task": task,
        "name": name,
        "outcome": outcome,
        "message": point.says,
        **lines_of(point.span),
        "used_at": lines_of(point.use) if point.use is not None else None,
    }


def _share(share: Share) -> dict[str, Any]:
    return {"percent": share.percent, "covered": share.covered, "all": share.all}
