"""What makes a finding the same one after lines have moved."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from cm2dsl.lint.run import Found


def fingerprints(found: Sequence[Found]) -> list[str]:
    """A hash of each finding's file, code, message and line of text, white space aside.

    Of several that are the same in all of these, the second and later ones count.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    marks = []
    for one in found:
        span = one.finding.span
        line = " ".join(span.source.line(span.line).split())
        what = (span.source.name, one.code, one.finding.message, line)
        marks.append(hashlib.sha256(repr((what, seen[what])).encode()).hexdigest())
        seen[what] += 1
    return marks
