"""The edits of fixes, applied to a text, and the findings that are not to be mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.lint.fingerprint import fingerprints
from cm2dsl.lint.rule import Edit, Fix


class Spared:
    """The findings of a file that a baseline knows, told apart also after the file was mended.

    When another finding of its line is mended, the line has other words, and a finding that was
    known has another fingerprint. It still is one of as many of its code and message.
    """

    def __init__(self, known: Set[str]) -> None:
        self._known = known
        self._counts: Counter[tuple[str, str]] | None = None

    def others(self, found: Sequence[Diagnostic]) -> list[Diagnostic]:
        """What may be mended of the findings in one file. The first call is before any mending."""
        if not self._known:
            return list(found)
        marks = fingerprints(found)
        are_known = [mark in self._known for mark in marks]
        here = Counter(
            _kind(one) for one, is_known in zip(found, are_known, strict=True) if is_known
        )
        if self._counts is None:
            self._counts = here
        changed = self._counts - here
        others = []
        for one, is_known in zip(found, are_known, strict=True):
            if changed[_kind(one)] and not is_known:
                changed[_kind(one)] -= 1
            elif not is_known:
                others.append(one)
        return others


def _kind(one: Diagnostic) -> tuple[str, str]:
    return one.code, one.message


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
