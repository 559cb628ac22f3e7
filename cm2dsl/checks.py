"""The words that a bundle's reward.py is written in.

A check is a function of a `Scope` (the calls and replies of a turn, or of the whole dialogue, up to
a step) and of the task's row. Values are compared as JSON: numbers by value, `true` is not 1, text
exactly. Text is looked for in replies after NFKC, case folding and folding of white space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

Json = Any
Condition = Callable[[Json], bool]

each = None
"""In a path: every element of a list."""

# --- values -----------------------------------------------------------------------------------


def at(value: Json, *path: str | int | None) -> Iterator[Json]:
    """Every value at `path` (keys, indices, `each`); none where the path leads nowhere."""
    if not path:
        yield value
        return
    step, *rest = path
    if step is None:
        if isinstance(value, list):
            for element in value:
                yield from at(element, *rest)
    elif isinstance(step, str):
        if isinstance(value, Mapping) and step in value:
            yield from at(value[step], *rest)
    elif isinstance(value, list) and step < len(value):
        yield from at(value[step], *rest)


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(value: Json, other: Json, tolerance: float = 0.0) -> bool:
    """JSON equality; numbers may be off by `tolerance`."""
    if is_number(value) and is_number(other):
        return bool(value == other) or _near(value, other, tolerance)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return value.keys() == other.keys() and all(same(value[k], other[k]) for k in value)
    return type(value) is type(other) and bool(value == other)


def _near(value: float, other: float, tolerance: float) -> bool:
    """Whether two numbers are at most `tolerance` apart, all three as they are written.

    In binary, 120.51 is more than 0.01 away from 120.50.
    """
    return tolerance > 0 and abs(written(value) - written(other)) <= written(tolerance)


def written(number: float) -> Decimal:
    """A number as JSON writes it, exactly."""
    return Decimal(str(number))


def ordered(value: Json, other: Json) -> bool:
    """Whether two values have an order: two numbers, or two texts."""
    both_text = isinstance(value, str) and isinstance(other, str)
    return both_text or (is_number(value) and is_number(other))


# Conditions: some value out of `found` stands so to `other`.

Found = Iterable[Json]


def eq(found: Found, other: Json, tolerance: float = 0.0) -> bool:
    """Some value is equal; numbers may be off by `tolerance`."""
    return any(same(value, other, tolerance) for value in found)


def ne(found: Found, other: Json, tolerance: float = 0.0) -> bool:
    """Some value is there and is another."""
    return any(not same(value, other, tolerance) for value in found)


def lt(found: Found, other: Json) -> bool:
    """Some value is less; text is ordered as text, and never against a number."""
    return any(ordered(value, other) and value < other for value in found)


def le(found: Found, other: Json) -> bool:
    """Some value is at most this."""
    return any(ordered(value, other) and value <= other for value in found)


def gt(found: Found, other: Json) -> bool:
    """Some value is greater."""
    return any(ordered(value, other) and value > other for value in found)


def ge(found: Found, other: Json) -> bool:
    """Some value is at least this."""
    return any(ordered(value, other) and value >= other for value in found)


def one_of(found: Found, others: Sequence[Json]) -> bool:
    """Some value is one of several."""
    return any(same(value, other) for value in found for other in others)


def contains(found: Found, other: Json) -> bool:
    """Some text has `other` in it, or some list an element equal to it."""
    return any(_contains(value, other) for value in found)


def _contains(value: Json, other: Json) -> bool:
    if isinstance(value, str):
        return isinstance(other, str) and other in value
    return isinstance(value, list) and any(same(element, other) for element in value)


def matches(found: Found, pattern: str) -> bool:
    """The regular expression is found in some text."""
    return any(isinstance(value, str) and re.search(pattern, value) for value in found)


def exists(found: Found) -> bool:
    """There is a value, whatever it is."""
    return any(True for _ in found)


def show(value: Json) -> str:
    """A JSON scalar as a person writes it: 120.0 is `120`, true is `true`, null is nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


# --- text -------------------------------------------------------------------------------------

NUMERAL = re.compile(r"(?<![A-Za-z_.\d])[-−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")

# Full-width letters, digits and signs as ASCII; but `，` ends a clause and groups no digits.
HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if code != ord("，")}


def fold(text: str) -> str:
    """Text as it is compared in replies."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def mentions(text: str, value: Json) -> bool:
    """Whether a reply says a value: text as it stands, a number in any of its written forms.

    `1,200.50` says 1200.5; `MU5101` does not say 5101. A sign counts for negative values alone,
    so `-120` says 120. Lists, objects, null and empty text are never said.
    """
    if isinstance(value, bool):
        return ("true" if value else "false") in fold(text)
    if is_number(value):
        numerals = NUMERAL.findall(text.translate(HALF_WIDTH))
        return any(_is_numeral(numeral, written(value)) for numeral in numerals)
    return isinstance(value, str) and fold(value) != "" and fold(value) in fold(text)


def _is_numeral(numeral: str, value: Decimal) -> bool:
    number = Decimal(numeral.replace(",", "").replace("−", "-"))
    return number == value or (value > 0 and -number == value)


# --- scope ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallFact:
    """One call. `step` counts from 0 in the scope; `result` is JSON, or None where it is not."""

    tool: str
    arguments: Mapping[str, Json] | None
    step: int
    segment: str
    result: Json = None
    result_segment: str = ""


@dataclass(frozen=True, slots=True)
class ReplyFact:
    text: str
    step: int
    segment: str


@dataclass(frozen=True)
class Facts:
    """All calls and replies of a turn, or of a dialogue, in order."""

    calls: tuple[CallFact, ...]
    replies: tuple[ReplyFact, ...]
    steps: int


@dataclass
class Scope:
    """The facts up to and with step `last`. `evidence` names the segments that matched."""

    facts: Facts
    last: int
    evidence: dict[str, None] = field(default_factory=dict)

    @cached_property
    def calls(self) -> list[CallFact]:
        return [call for call in self.facts.calls if call.step <= self.last]

    @cached_property
    def replies(self) -> list[ReplyFact]:
        return [reply for reply in self.facts.replies if reply.step <= self.last]

    def _matching(self, tool: str | None, where: Condition | None) -> list[CallFact]:
        return [
            call
            for call in self.calls
            if (tool is None or call.tool == tool)
            and (where is None or (call.arguments is not None and where(call.arguments)))
        ]

    def called(
        self,
        tool: str | None,
        where: Condition | None = None,
        at_least: int = 1,
        at_most: int | None = None,
    ) -> bool:
        """Between `at_least` and `at_most` calls of the tool (of any, for None) match."""
        found = self._matching(tool, where)
        self.evidence |= dict.fromkeys(call.segment for call in found)
        return at_least <= len(found) and (at_most is None or len(found) <= at_most)

    def before(
        self,
        first: str | None,
        where_first: Condition | None,
        second: str | None,
        where_second: Condition | None,
    ) -> bool:
        """`first` was called, and `second` was not called in that step or an earlier one."""
        ones = self._matching(first, where_first)
        others = self._matching(second, where_second)
        self.evidence |= dict.fromkeys(call.segment for call in [*ones[:1], *others[:1]])
        return bool(ones) and all(ones[0].step < other.step for other in others)

    def result(self, tool: str | None, where: Condition | None, has: Condition) -> bool:
        """Some JSON result of a matching call meets `has`."""
        found = [
            call
            for call in self._matching(tool, where)
            if call.result is not None and has(call.result)
        ]
        self.evidence |= dict.fromkeys(call.result_segment for call in found)
        return bool(found)

    def reply_contains(self, value: Json) -> bool:
        """Some reply mentions the value."""
        return self._said(lambda text: mentions(text, value))

    def reply_matches(self, pattern: str) -> bool:
        """The regular expression is found in some reply."""
        return self._said(lambda text: re.search(pattern, text) is not None)

    def reply_mentions(
        self, tool: str | None, where: Condition | None, *path: str | int | None
    ) -> bool:
        """Some reply mentions a value at `path` in a matching call's result."""
        for call in self._matching(tool, where):
            for value in at(call.result, *path):
                if self._said(lambda text, value=value: mentions(text, value)):  # type: ignore[misc]
                    self.evidence[call.result_segment] = None
                    return True
        return False

    def _said(self, test: Callable[[str], bool]) -> bool:
        found = [reply.segment for reply in self.replies if test(reply.text)]
        self.evidence |= dict.fromkeys(found)
        return bool(found)


# --- undecided (items that have a judge too) --------------------------------------------------


def if_said(said: bool) -> bool | None:
    """Words that are there decide; words that are not leave the question to the judge."""
    return True if said else None


def all_of(*parts: bool | None) -> bool | None:
    """Kleene's and: False wins, then undecided."""
    if any(part is False for part in parts):
        return False
    return None if any(part is None for part in parts) else True


def any_of(*parts: bool | None) -> bool | None:
    """Kleene's or: True wins, then undecided."""
    if any(part is True for part in parts):
        return True
    return None if any(part is None for part in parts) else False


def negation(part: bool | None) -> bool | None:
    """Kleene's not."""
    return None if part is None else not part
