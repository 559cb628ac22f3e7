"""JUnit's XML, which most CI systems show: a suite a spec, a case a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.junit import add, counts, document, fit
from cm2dsl.testing.output.text import block
from cm2dsl.testing.report import Report, Result, count

NAMES = {"failed": "failure", "error": "error"}
FAULTS = "does not compile"


def show(reports: Sequence[Report], faults: Sequence[Diagnostic]) -> str:
    """A failing expectation is a `failure`; a fault of a test is an `error`, and of a spec too."""
    suites = Element("testsuites", {"name": "cm2c test", **_counts(reports, len(faults))})
    if faults:
        suite = SubElement(suites, "testsuite", {"name": FAULTS, **_counts((), len(faults))})
        for fault in faults:
            add(suite, fault)
    for report in reports:
        suite = SubElement(suites, "testsuite", {"name": fit(report.spec), **_counts([report])})
        for result in report.results:
            _case(suite, report.spec, result)
    return document(suites)


def _counts(reports: Sequence[Report], faults: int = 0) -> Mapping[str, str]:
    tests = sum(len(report.results) for report in reports)
    return counts(tests + faults, count(reports, "failed"), count(reports, "error") + faults)


def _case(suite: Element, spec: str, result: Result) -> None:
    """One `failure` or `error` a case, which is all that some readers of the format know."""
    name = f"{result.test.block.name} ({result.test.task_id})"
    case = SubElement(suite, "testcase", {"name": fit(name), "classname": fit(spec)})
    if result.status == "passed":
        return
    wrong = [one for one in result.said if one.kind != "note"]
    message = "; ".join(one.complaint.message for one in wrong)
    found = SubElement(case, NAMES[result.status], {"message": fit(message), "type": "expect"})
    found.text = fit("\n\n".join(block(one, result) for one in wrong))
