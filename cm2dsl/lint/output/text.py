"""For people: place, message, the line with carets, help; at the end how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from cm2dsl.diagnostic import Diagnostic, render
from cm2dsl.report.words import counted


def show(found: Sequence[Diagnostic]) -> str:
    """A block each, and how many there are."""
    if not found:
        return "nothing found\n"
    return "\n\n".join([*map(render, found), f"{_end(found)}\n{more(found)}"]) + "\n"


def more(found: Sequence[Diagnostic]) -> str:
    """Where more is said of the first of some diagnostics."""
    return f"`cm2c explain {found[0].code}` says more"


def _end(found: Sequence[Diagnostic]) -> str:
    faults = sum(one.code.startswith("E") for one in found)
    fixes = [one.fix for one in found if one.fix is not None]
    safe = sum(fix.safe for fix in fixes)
    parts = [counted(faults, "fault")] if faults else []
    if len(found) > faults:
        parts.append(counted(len(found) - faults, "finding"))
    if safe:
        parts.append(f"{safe} can be mended with --fix")
    if len(fixes) > safe:
        parts.append(f"{len(fixes) - safe} with --fix --unsafe-fixes")
    return ", ".join(parts)
