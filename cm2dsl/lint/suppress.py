"""Comments that allow a finding: `# lint: allow L203: the airline's own word`.

Such a comment, behind a line of code or on lines of its own above it, is for what begins on that
line. It needs a reason, and one that allows nothing is itself a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from cm2dsl.lexemes import lexemes
from cm2dsl.lint.rule import Finding
from cm2dsl.source import Source, Span

CODE = "L001"
"""The code of findings on these comments themselves; it cannot be allowed."""

MARK = "lint:"
COMMENT = re.compile(r"#[^\n]*")
ALLOW = re.compile(r"#\s*lint:\s*allow\s+(?P<codes>L\d+(?:\s*,\s*L\d+)*)\s*(?::\s*(?P<why>.*))?$")


class Allowance(Struct):
    """A comment that allows codes on a line; `used` are those that it had to allow."""

    span: Span
    codes: tuple[str, ...]
    line: int
    why: str
    used: set[str]


def allowances(source: Source) -> list[Allowance]:
    """The comments of a file that allow findings."""
    found = []
    if MARK not in source.text:
        return []
    for start, text in comments(source.text):
        match = ALLOW.match(text.rstrip())
        if match is None:
            continue
        codes = tuple(re.split(r"\s*,\s*", match["codes"]))
        span = Span(source, start, start + len(text.rstrip()))
        found.append(Allowance(span, codes, _line_of(source, start), match["why"] or "", set()))
    return found


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Every comment and where it begins."""
    end = 0
    for start, stop in [*((one.start, one.stop) for one in lexemes(text)), (len(text), 0)]:
        for match in COMMENT.finditer(text, end, start):
            yield match.start(), match[0]
        end = stop


def _line_of(source: Source, start: int) -> int:
    """The line that a comment is for: its own, or the next one with code."""
    line = source.position(start)[0]
    before = source.line(line)[: source.position(start)[1] - 1]
    while not before.strip() and line < len(source.line_starts):
        line += 1
        before = source.line(line).partition("#")[0]
    return line


def allowed(code: str, finding: Finding, known: Iterable[Allowance]) -> bool:
    """Whether a comment allows a finding; the comment has then been of use."""
    for one in known:
        if one.line == finding.span.line and code in one.codes and one.why.strip():
            one.used.add(code)
            return True
    return False


def complaints(known: Iterable[Allowance], ran: frozenset[str]) -> Iterable[Finding]:
    """What is wrong with the comments: no reason, or nothing to allow, of the rules that ran."""
    for one in known:
        if not one.why.strip():
            help = f"say why: `# lint: allow {', '.join(one.codes)}: …`"
            yield Finding(one.span, "this allows a finding without a reason", help)
            continue
        idle = [code for code in one.codes if code in ran and code not in one.used]
        if idle:
            names = ", ".join(f"`{code}`" for code in idle)
            yield Finding(one.span, f"there is no {names} here to allow", "take it out")
