"""For people: place, message, the line with carets, help, as the compiler's errors."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.diagnostic import Diagnostic, render
from cm2dsl.lint.run import Found


def show(found: Sequence[Found]) -> str:
    """A block for each finding, and how many there are."""
    blocks = [_block(one) for one in found]
    if not found:
        return "nothing found\n"
    mended = sum(one.finding.fix is not None for one in found)
    end = f"{len(found)} finding{'s' if len(found) > 1 else ''}"
    if mended:
        end += f", {mended} can be mended with --fix"
    return "\n\n".join([*blocks, end]) + "\n"


def _block(one: Found) -> str:
    finding = one.finding
    shown = Diagnostic(one.code, finding.message, finding.span, finding.help, finding.related)
    return render(shown, f"{one.severity}[{one.code} {one.name}]")
