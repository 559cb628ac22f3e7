"""JUnit's XML, which most CI systems show: a suite a spec, a case a test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cm2dsl.diagnostic import HIDDEN
from cm2dsl.testing.output.text import block
from cm2dsl.testing.report import Report, Result, count

# What XML cannot hold, beyond what is hidden anyway.
UNFIT = re.compile("[\ud800-\udfff\ufffe\uffff]")

NAMES = {"failed": "failure", "error": "error"}


def show(reports: Sequence[Report], verbose: bool) -> str:
    """A failing expectation is a `failure`, a fault of the test itself an `error`."""
    suites = Element("testsuites", {"name": "cm2c test", **_counts(reports)})
    for report in reports:
        suite = SubElement(suites, "testsuite", {"name": _text(report.spec), **_counts([report])})
        for result in report.results:
            _case(suite, report.spec, result)
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, "unicode") + "\n"


def _counts(reports: Sequence[Report]) -> dict[str, str]:
    return {
        "tests": str(sum(len(report.results) for report in reports)),
        "failures": str(count(reports, "failed")),
        "errors": str(count(reports, "error")),
    }


def _case(suite: Element, spec: str, result: Result) -> None:
    """One `failure` or `error` a case, which is all that some readers of the format know."""
    name = f"{result.test.block.name} ({result.test.task_id})"
    case = SubElement(suite, "testcase", {"name": _text(name), "classname": _text(spec)})
    if result.status == "passed":
        return
    wrong = [one for one in result.said if one.kind != "note"]
    message = "; ".join(one.complaint.message for one in wrong)
    found = SubElement(case, NAMES[result.status], {"message": _text(message), "type": "expect"})
    found.text = _text("\n\n".join(block(one, result) for one in wrong))


def _text(text: str) -> str:
    return UNFIT.sub("\ufffd", text.translate(HIDDEN))
