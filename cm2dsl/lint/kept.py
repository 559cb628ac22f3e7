"""Findings as they are kept in the cache: places as files and numbers in place of sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from cm2dsl.diagnostic import Diagnostic, Fix, Severity
from cm2dsl.source import Span, read_source


class Spot(Struct, frozen=True, array_like=True):
    """Characters of one of the files."""

    file: int
    start: int
    stop: int


class Finding(Struct, frozen=True):
    """A diagnostic, without sources."""

    code: str
    message: str
    spot: Spot
    help: str | None
    related: tuple[tuple[Spot, str], ...]
    severity: Severity
    name: str | None
    fix: Fix | None


class Findings(Struct, frozen=True):
    """What was found in a spec; `files` are named from its folder."""

    files: tuple[str, ...]
    found: tuple[Finding, ...]


def kept(found: Sequence[Diagnostic], spec: Path) -> Findings | None:
    """The findings as they are kept; None where one is about a file that cannot be named so."""
    sources = list(dict.fromkeys(span.source for one in found for span in _spans(one)))
    root = spec.resolve().parent
    if not all(source.path.resolve().is_relative_to(root) for source in sources):
        return None
    places = {source: place for place, source in enumerate(sources)}

    def spot(span: Span) -> Spot:
        return Spot(places[span.source], span.start, span.stop)

    return Findings(
        tuple(source.path.resolve().relative_to(root).as_posix() for source in sources),
        tuple(
            Finding(
                one.code,
                one.message,
                spot(one.span),
                one.help,
                tuple((spot(span), note) for span, note in one.related),
                one.severity,
                one.name,
                one.fix,
            )
            for one in found
        ),
    )


def found_again(findings: Findings, spec: Path) -> list[Diagnostic]:
    """The diagnostics that were kept for a spec, whose files are what they were.

    Raises OSError where one of them cannot be read any more.
    """
    root = spec.resolve().parent
    shown = str(spec)[: -len(spec.name)]
    sources = [
        read_source((root / name).read_bytes(), root / name, shown + name)
        for name in findings.files
    ]

    def span(spot: Spot) -> Span:
        return Span(sources[spot.file], spot.start, spot.stop)

    return [
        Diagnostic(
            one.code,
            one.message,
            span(one.spot),
            one.help,
            tuple((span(spot), note) for spot, note in one.related),
            one.severity,
            one.name,
            one.fix,
        )
        for one in findings.found
    ]


def _spans(one: Diagnostic) -> Iterator[Span]:
    yield one.span
    yield from (span for span, _ in one.related)
