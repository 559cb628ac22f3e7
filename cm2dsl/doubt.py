"""Which faults of meaning can be believed where part of a text could not be read.

What was read around a fault of form may be something else than was meant: a fault of meaning there
may only follow from it. It is left out where it lies in a doubtful part or on a line of one, where
it misses something (an item, a name) that the doubtful part may hold.

So it is with a template that is in a file which could not be read, and with the items of its uses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence, Set

from cm2dsl import nodes
from cm2dsl.diagnostic import Diagnostic
from cm2dsl.source import Source, Span
from cm2dsl.walk import walk

MISSES = frozenset({"E304", "E307"})
"""Codes of faults that something more in the block would mend."""

SHAPE = frozenset({"E106", "E109", "E303", "E304", "E305", "E306", "E307"})
"""Codes of faults that other blocks around would mend."""

UNKNOWN = frozenset({"E101", "E107", "E109", "E110"})
"""Codes of names that nothing has; what has the name may stand in a doubtful part."""

MISSED = frozenset({"E109"})
"""Codes of names that may be the one that cannot be read."""

WHOLE = ("the spec has no task", "the spec has no domain", "all weights of")

HOLLOW = ("all weights of", "no turn of task", "there is no turn `dialogue`")
"""How faults begin that items would mend which a use of an unread template would make."""

WORD = re.compile(r"\w+")
QUOTED = re.compile(r"`([^`]*)`")


def certain(
    found: Iterable[Diagnostic],
    files: Sequence[nodes.File],
    templates: Collection[str],
    every: bool,
) -> list[Diagnostic]:
    """The faults that do not merely follow from what could not be read.

    `templates` are those that are known; `every` is false where an import could not be read.
    """
    doubted = {file.source.path: _Doubt(file) for file in files if file.doubtful}
    if not doubted and every:
        return list(found)
    lost = {word for doubt in doubted.values() for word in doubt.words}
    uses = [use for use in walk(files[0], nodes.Use) if use.template.text not in templates]
    unmade = {
        (use.alias or use.template).text for use in uses if not every or use.template.text in lost
    }
    kept = []
    for one in found:
        doubt = doubted.get(one.span.source.path)
        if one.code < "E1" or not (
            (one.code == "E107" and not every)
            or _misses(one, unmade)
            or _names_lost(one, lost)
            or (doubt and doubt.covers(one))
        ):
            kept.append(one)
    return kept


def _misses(one: Diagnostic, unmade: Set[str]) -> bool:
    """Whether a fault may follow from uses of templates that could not be read."""
    if not unmade:
        return False
    text = one.span.source.text[one.span.start : one.span.stop]
    named = one.code == "E109" and not unmade.isdisjoint(WORD.findall(text))
    return named or one.message.startswith(HOLLOW)


def _names_lost(one: Diagnostic, lost: set[str]) -> bool:
    if one.code not in UNKNOWN:
        return False
    named = QUOTED.search(one.message)
    return named is not None and not lost.isdisjoint(WORD.findall(named[1]))


class _Doubt:
    """The doubtful parts of a file with their lines, and the blocks that they are in."""

    def __init__(self, file: nodes.File) -> None:
        text = file.source.text
        self.parts = [_lines(file.source, one.start, one.stop) for one in file.doubtful]
        self.words = {word for start, stop in self.parts for word in WORD.findall(text[start:stop])}
        self.blocks = [span for span in _blocks(file) if _touch(span, self.parts)]
        shapes = [_lines(file.source, one.start, one.stop) for one in file.doubtful if one.shape]
        names = [_lines(file.source, one.start, one.stop) for one in file.doubtful if one.name]
        spans = [statement.span for statement in file.statements]
        self.shaken = [span for span in spans if _touch(span, shapes)]
        self.nameless = [span for span in spans if _touch(span, names)]

    def covers(self, one: Diagnostic) -> bool:
        """Whether a fault may follow from what could not be read."""
        place = one.span.start
        if any(start <= place <= stop for start, stop in self.parts):
            return True
        if one.code in MISSED and _is_slip(one):
            return False
        if one.code in MISSED and _inside(place, self.nameless):
            return True
        if one.code in SHAPE and _inside(place, self.shaken):
            return True
        heads = any(self._heads(span, place) for span in self.blocks)
        return one.message.startswith(WHOLE) or (one.code in MISSES and heads)

    def _heads(self, span: Span, place: int) -> bool:
        """Whether a place is in the first line of a block, where its name is."""
        start, stop = _lines(span.source, span.start, span.start + 1)
        return start <= place < stop


def _is_slip(one: Diagnostic) -> bool:
    """Whether the fault names a name of the same block that was probably meant."""
    return (one.help or "").startswith("did you mean") and "." not in (one.help or "")


def _inside(place: int, spans: Iterable[Span]) -> bool:
    return any(span.start <= place < span.stop for span in spans)


def _touch(span: Span, parts: Iterable[tuple[int, int]]) -> bool:
    return any(start < span.stop and span.start < stop for start, stop in parts)


def _blocks(file: nodes.File) -> Iterator[Span]:
    """The places of statements, and of the turns and items in tasks."""
    for statement in file.statements:
        yield statement.span
        if isinstance(statement, nodes.Task):
            for part in statement.parts:
                yield part.span
                if isinstance(part, nodes.Turn):
                    yield from (inner.span for inner in part.parts)


def _lines(source: Source, start: int, stop: int) -> tuple[int, int]:
    """The whole lines of a part of the text."""
    text = source.text
    end = text.find("\n", max(start, stop - 1))
    return text.rfind("\n", 0, start) + 1, end if end >= 0 else len(text)
