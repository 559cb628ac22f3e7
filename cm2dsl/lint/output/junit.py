"""JUnit's XML, which most CI systems show: a test case a finding, each of them failed."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cm2dsl.diagnostic import HIDDEN
from cm2dsl.lint.run import Found


def show(found: Sequence[Found]) -> str:
    count = {"tests": str(max(len(found), 1)), "failures": str(len(found)), "errors": "0"}
    suites = Element("testsuites", {"name": "cm2c lint", **count})
    suite = SubElement(suites, "testsuite", {"name": "cm2c lint", **count})
    if not found:
        SubElement(suite, "testcase", {"name": "nothing found", "classname": "cm2c lint"})
    for one in found:
        span = one.finding.span
        place = f"{span.source.name}:{span.line}:{span.column}"
        name = f"{one.code} {one.name} {place}"
        case = SubElement(suite, "testcase", {"name": name, "classname": span.source.name})
        message = one.finding.message.translate(HIDDEN)
        failure = SubElement(case, "failure", {"message": message, "type": one.severity})
        failure.text = f"{place}: {message}\n{one.finding.help.translate(HIDDEN)}"
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, "unicode") + "\n"
