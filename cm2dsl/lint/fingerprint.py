"""What makes a diagnostic the same one after lines have moved."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from cm2dsl.diagnostic import Diagnostic
from cm2dsl.report.place import file_of


def fingerprints(found: Sequence[Diagnostic]) -> list[str]:
    """A hash of each one's file, code, message and line of text, white space aside.

    Of several that are the same in all of these, the second and later ones count.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    marks = []
    for one in found:
        source = one.span.source
        line = " ".join(source.line(one.span.line).split())
        what = (file_of(source), one.code, one.message, line)
        marks.append(
            hashlib.sha256(repr((what, seen[what])).encode("utf-8", "surrogateescape")).hexdigest()
        )
        seen[what] += 1
    return marks
