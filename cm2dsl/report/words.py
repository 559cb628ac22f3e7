"""Words about numbers."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"
