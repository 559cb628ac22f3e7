"""JUnit's XML, which most CI systems show: a test case each, failed by lint or by the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.junit import add, counts, document


def show(found: Sequence[Diagnostic]) -> str:
    errors = sum(one.code.startswith("E") for one in found)
    said = {"name": "cm2c", **counts(max(len(found), 1), len(found) - errors, errors)}
    suites = Element("testsuites", said)
    suite = SubElement(suites, "testsuite", said)
    if not found:
        SubElement(suite, "testcase", {"name": "nothing found", "classname": "cm2c"})
    for one in found:
        add(suite, one)
    return document(suites)
