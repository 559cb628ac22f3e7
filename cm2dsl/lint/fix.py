"""The edits of fixes, applied to a text."""

from __future__ import annotations

from collections.abc import Iterable

from cm2dsl.lint.rule import Edit, Fix


def apply(text: str, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text after the fixes whose edits do not meet those of an earlier one; how many."""
    taken: list[Edit] = []
    count = 0
    for fix in fixes:
        if any(_meet(edit, other) for edit in fix.edits for other in taken):
            continue
        taken += fix.edits
        count += 1
    for edit in sorted(taken, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.stop :]
    return text, count


def _meet(one: Edit, other: Edit) -> bool:
    return (one.start < other.stop and other.start < one.stop) or one.start == other.start
