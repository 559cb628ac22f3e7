"""Comments that allow what is found, put where they belong: `cm2c lint --add-suppressions`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import click

from cm2dsl.fmt import formatted
from cm2dsl.fmt.same import meaning_of
from cm2dsl.lexemes import LONG_STRING, STRING, lexemes
from cm2dsl.lint import suppress
from cm2dsl.lint.fix import apply
from cm2dsl.lint.rule import Edit, Fix
from cm2dsl.lint.run import Found
from cm2dsl.source import Source


def with_allowances(
    source: Source, found: Sequence[Found], ran: Set[str], reason: str
) -> tuple[str, int]:
    """The text with a comment for each line of findings, and how many findings these are for.

    `ran` are the codes of the rules that ran. A comment that is there already takes more codes if
    it gives the same reason, or none; other reasons stay what they were. A text that was in the one
    layout is so afterwards. Raises click.ClickException if the text would say something else.
    """
    placer = _Placer(source, ran, reason.strip())
    by_line: dict[int, list[str]] = {}
    for one in found:
        if one.code != suppress.CODE and one.finding.span.source == source:
            by_line.setdefault(one.finding.span.line, []).append(one.code)
    edits = {line: placer.edit(line, codes) for line, codes in by_line.items()}
    fixes = [Fix("allow it", (edit,)) for edit in edits.values() if edit is not None]
    text, _ = apply(source.text, fixes)
    count = sum(len(codes) for line, codes in by_line.items() if edits[line] is not None)
    if formatted(source) == source.text:
        text = formatted(Source(source.path, source.name, text))
    if meaning_of(Source(source.path, source.name, text)) != meaning_of(source):
        raise click.ClickException(f"with comments `{source.name}` would say something else")
    return text, count


@dataclass
class _Placer:
    """Finds the place of a comment in a text."""

    source: Source
    ran: Set[str]
    reason: str

    def __post_init__(self) -> None:
        self.strings = [
            (one.start, one.stop)
            for one in lexemes(self.source.text)
            if one.group in (STRING, LONG_STRING) and "\n" in one.text
        ]
        self.known: dict[int, list[suppress.Allowance]] = {}
        for one in suppress.allowances(self.source):
            self.known.setdefault(one.line, []).append(one)

    def edit(self, line: int, codes: Sequence[str]) -> Edit | None:
        """What allows these codes on a line: a comment above it, or behind it where a string goes
        on into the line. None where there is no place for one.
        """
        for one in self.known.get(line, ()):
            if one.why.strip() in ("", self.reason):
                kept = one.codes if one.why.strip() else tuple(set(one.codes) - self.ran)
                return Edit(one.span.start, one.span.stop, self._comment([*kept, *codes]))
        text = self.source.line(line)
        start = self.source.line_starts[line - 1]
        stop = start + len(text)
        if not self._in_string(start):
            indent = text[: len(text) - len(text.lstrip())]
            return Edit(start, start, f"{indent}{self._comment(codes)}\n")
        if not self._in_string(stop) and not self._has_comment(start, stop):
            return Edit(stop, stop, f"  {self._comment(codes)}")
        return None

    def _comment(self, codes: Sequence[str]) -> str:
        return f"# lint: allow {', '.join(sorted(set(codes)))}: {self.reason}"

    def _in_string(self, place: int) -> bool:
        return any(start < place < stop for start, stop in self.strings)

    def _has_comment(self, start: int, stop: int) -> bool:
        return any(start <= place < stop for place, _ in suppress.comments(self.source.text))
