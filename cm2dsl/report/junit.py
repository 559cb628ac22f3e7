"""JUnit's XML: a suite of test cases, and a diagnostic as one of them."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cm2dsl.diagnostic import HIDDEN, Diagnostic
from cm2dsl.report.place import file_of, notes_of

NOT_IN_XML = HIDDEN | dict.fromkeys([*range(0xD800, 0xE000), 0xFFFE, 0xFFFF], "\ufffd")


def fit(text: str) -> str:
    """The text without what XML cannot hold, or a terminal should not see."""
    return text.translate(NOT_IN_XML)


def counts(tests: int, failures: int, errors: int) -> Mapping[str, str]:
    """The attributes of a suite, and of all of them."""
    return {"tests": str(tests), "failures": str(failures), "errors": str(errors)}


def add(suite: Element, one: Diagnostic) -> None:
    """Add a case: an `error` where the compiler says so, else a `failure`."""
    file = fit(file_of(one.span.source))
    place = f"{file}:{one.span.line}:{one.span.column}"
    case = SubElement(suite, "testcase", {"name": f"{one.title} {place}", "classname": file})
    kind = "error" if one.code.startswith("E") else "failure"
    said = SubElement(case, kind, {"message": fit(one.message), "type": one.severity})
    parts = [f"{place}: {one.message}", *notes_of(one), *([one.help] if one.help else [])]
    said.text = fit("\n".join(parts))


def document(suites: Element) -> str:
    """The text of a file."""
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, "unicode") + "\n"
