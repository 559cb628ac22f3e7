"""The formats of diagnostics: one a file. Each has `show(found) -> str`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.option import with_format
from cm2dsl.report.say import give, say

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit")
PROGRAMS = frozenset({"json", "sarif", "gitlab", "junit"})
"""Formats that programs read: they are UTF-8 wherever they are written."""

format_option = with_format(FORMATS)
"""The option of commands that report diagnostics; their parameter is `form`."""


def report(found: Sequence[Diagnostic], form: str) -> None:
    """Write diagnostics to standard output in one of the formats."""
    text: str = import_module(f"{__name__}.{form}").show(found)
    (give if form in PROGRAMS else say)(text)
