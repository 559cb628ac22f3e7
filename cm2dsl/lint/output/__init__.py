"""The formats of diagnostics: one a file. Each has `show(found) -> str`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import click

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.say import give, say

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit")
PROGRAMS = frozenset({"json", "sarif", "gitlab", "junit"})
"""Formats that programs read: they are UTF-8 wherever they are written."""

format_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Output.",
)
"""The option of commands that report diagnostics; their parameter is `form`."""


def report(found: Sequence[Diagnostic], form: str) -> None:
    """Write diagnostics to standard output in one of the formats."""
    text: str = import_module(f"{__name__}.{form}").show(found)
    (give if form in PROGRAMS else say)(text)
