"""JUnit's XML, which most CI systems show: a test case each, failed by lint or by the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cm2dsl.diagnostic import HIDDEN, Diagnostic
from cm2dsl.lint.place import file_of, notes_of

NOT_IN_XML = HIDDEN | dict.fromkeys([*range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd")


def show(found: Sequence[Diagnostic]) -> str:
    errors = sum(one.code.startswith("E") for one in found)
    count = {
        "tests": str(max(len(found), 1)),
        "failures": str(len(found) - errors),
        "errors": str(errors),
    }
    suites = Element("testsuites", {"name": "cm2c", **count})
    suite = SubElement(suites, "testsuite", {"name": "cm2c", **count})
    if not found:
        SubElement(suite, "testcase", {"name": "nothing found", "classname": "cm2c"})
    for one in found:
        file = file_of(one.span.source).translate(NOT_IN_XML)
        place = f"{file}:{one.span.line}:{one.span.column}"
        name = f"{one.title} {place}"
        case = SubElement(suite, "testcase", {"name": name, "classname": file})
        kind = "error" if one.code.startswith("E") else "failure"
        message = one.message.translate(NOT_IN_XML)
        said = SubElement(case, kind, {"message": message, "type": one.severity})
        parts = [f"{place}: {one.message}", *notes_of(one), *([one.help] if one.help else [])]
        said.text = "\n".join(parts).translate(NOT_IN_XML)
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, "unicode") + "\n"
