"""A line a finding: `file:line:column: CODE message`."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.lint.run import Found


def show(found: Sequence[Found]) -> str:
    return "".join(
        f"{one.finding.span.source.name}:{one.finding.span.line}:{one.finding.span.column}: "
        f"{one.code} {one.finding.message}\n"
        for one in found
    )
