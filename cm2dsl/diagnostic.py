"""What is wrong, where, and what to do about it.

A message is lower case, without a full stop, with the user's own text in backticks; the help is
apart from it. Codes are stable: E0 syntax, E1 names, E2 types, E3 values and structure, E4 files,
L what lint finds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from cm2dsl.nearest import nearest
from cm2dsl.source import Source, Span

# Characters that would move the cursor or turn the writing direction are shown as `�`.
CONTROLS = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
HIDDEN = dict.fromkeys((code for code in CONTROLS if chr(code) not in "\t\n"), "\ufffd")


LONGEST = 160
"""Characters of a source line that are shown."""

AROUND = 60
"""Characters that are shown before a fault in a longer line."""


Severity = Literal["warning", "error"]

PAGES = {"E": "docs/errors/{code}.md", "L": "docs/rules/{code}.md"}
"""The page of a code, in the project's documentation, by the code's first letter."""


class Edit(Struct, frozen=True):
    """Characters `start` to `stop` of the file are replaced by `text`."""

    start: int
    stop: int
    text: str


class Fix(Struct, frozen=True):
    """What mends a finding. A safe fix changes no reward and no question to a judge."""

    says: str
    edits: tuple[Edit, ...]
    safe: bool = True


class Diagnostic(Struct, frozen=True):
    """One fault, or one finding of lint. `related` are other places that explain it.

    `name` is that of the lint rule. `fix` has its edits in the span's own source.
    """

    code: str
    message: str
    span: Span
    help: str | None = None
    related: tuple[tuple[Span, str], ...] = ()
    severity: Severity = "error"
    name: str | None = None
    fix: Fix | None = None

    @property
    def order(self) -> tuple[str, int, str]:
        return (self.span.source.name, self.span.start, self.code)

    @property
    def title(self) -> str:
        """The code, and the name if it has one."""
        return self.code if self.name is None else f"{self.code} {self.name}"

    @property
    def url(self) -> str:
        """Its page."""
        return PAGES[self.code[0]].format(code=self.code)


class CompileError(Exception):
    """A spec that cannot be compiled. `diagnostics` holds every fault found, in source order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        unique = {(d.order, d.message): d for d in diagnostics}
        self.diagnostics = [unique[key] for key in sorted(unique)]
        super().__init__("\n\n".join(render(d) for d in self.diagnostics))


class Log:
    """Collects faults, so that one run reports them all."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help: str | None = None,
        related: tuple[tuple[Span, str], ...] = (),
    ) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, help, related))

    def raise_if_any(self) -> None:
        if self.diagnostics:
            raise CompileError(self.diagnostics)


def used_here(via: Span | None, span: Span) -> tuple[tuple[Span, str], ...]:
    """What is related to a fault at `span` of a template: the place of its use."""
    if via is None or (via.source == span.source and via.start <= span.start < via.stop):
        return ()
    return ((via, "used here"),)


def suggest(word: str, known: Iterable[str]) -> str:
    """Help that names the nearest known word, or what there is."""
    names = sorted(set(known))
    near = nearest(word, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if not names:
        return "there is none"
    shown = ", ".join(f"`{name}`" for name in names[:8])
    return f"there is {shown}" + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def render(diagnostic: Diagnostic) -> str:
    """The fault as text: place, message, the line with carets, help."""
    span = diagnostic.span
    kind = f"{diagnostic.severity}[{diagnostic.title}]"
    head = one_line(f"{_place(span)}: {kind}: {diagnostic.message}")
    parts = [head, snippet(span)]
    for other, note in diagnostic.related:
        parts += [one_line(f"{_place(other)}: note: {note}"), snippet(other)]
    if diagnostic.help:
        parts.append(one_line(f"  = help: {diagnostic.help}"))
    return "\n".join(part for part in parts if part).translate(HIDDEN)


def one_line(text: str) -> str:
    """A text that holds a user's, as one line: nothing of it begins a line, or is hidden."""
    return text.translate(HIDDEN).replace("\n", "\\n")


def _place(span: Span) -> str:
    return f"{span.source.name}:{span.line}:{span.column}"


def snippet(span: Span) -> str:
    """The source line, or the part of a long one, and carets under the span's part of it."""
    source: Source = span.source
    if not source.text:
        return ""
    text = source.line(span.line)
    begin = span.column - 1
    end = min(begin + max(span.stop - span.start, 1), max(len(text), begin + 1))
    first = max(0, min(begin - AROUND, len(text) - LONGEST)) if len(text) > LONGEST else 0
    last = min(len(text), first + LONGEST)
    shown = ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
    begin, end = begin - first + bool(first), min(end, last) - first + bool(first)
    number = str(span.line)
    gutter = " " * len(number)
    lead = "".join("\t" if char == "\t" else " " * char_width(char) for char in shown[:begin])
    carets = "^" * max(sum(char_width(char) for char in shown[begin:end]), 1)
    return f" {gutter} |\n {number} | {shown}\n {gutter} | {lead}{carets}"


def char_width(char: str) -> int:
    """Columns a character takes on a terminal."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
