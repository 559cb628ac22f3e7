"""The words that a bundle's reward.py is written in.

A check is a function of a `Scope` (scope.py: the calls and replies of a turn, or of the whole
dialogue) and of the task's row. It says at which steps it is true: bit s of the integer that it
returns is its value after step s, so `&`, `|` and `~` are and, or and not. Values are compared as
JSON: numbers by value, `true` is not 1, text exactly. Text is looked for in replies after NFKC,
case folding and folding of white space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

Json = Any
Paths = Mapping[str | int | None, "Paths"]
"""Paths as a tree: a key, an index or `each` leads on; any value may stand where none does."""

each = None
"""In a path: every element of a list."""

NOTHING: Any = object()
"""What stands where a path leads nowhere: equal to no JSON value."""

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
        if isinstance(value, dict) and step in value:
            yield from at(value[step], *rest)
    elif isinstance(value, list) and step < len(value):
        yield from at(value[step], *rest)


def get(value: Json, *path: str | int) -> Json:
    """The value at `path` (keys and indices); NOTHING where it leads nowhere."""
    for step in path:
        if type(value) is dict:
            value = value.get(step, NOTHING)
        elif type(value) is list and type(step) is int and step < len(value):
            value = value[step]
        else:
            return NOTHING
    return value


def has(value: Json, *path: str | int) -> bool:
    """Whether there is a value at `path` (keys and indices), whatever it is."""
    return get(value, *path) is not NOTHING


def only(value: Json, paths: Paths) -> bool:
    """Whether every part of the value lies on one of the paths, or beyond the end of one."""
    if not paths:
        return True
    if isinstance(value, dict):
        return all(key in paths and only(value[key], paths[key]) for key in value)
    if isinstance(value, list):
        return all(
            any(only(element, paths[step]) for step in (index, each) if step in paths)
            for index, element in enumerate(value)
        )
    return True


def no_more(arguments: Mapping[str, Json], paths: Paths) -> bool:
    """Whether a call has no argument, at any depth, that is on none of the paths."""
    return all(key in paths and only(arguments[key], paths[key]) for key in arguments)


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(value: Json, other: Json, tolerance: float = 0.0) -> bool:
    """JSON equality; numbers may be off by `tolerance`."""
    if is_number(value) and is_number(other):
        return bool(value == other) or _near(value, other, tolerance)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(same, value, other))
    if isinstance(value, dict) and isinstance(other, dict):
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


def fold(text: str, ignoring: str = "") -> str:
    """Text as it is compared in replies, without the characters to ignore."""
    text = plain(text, ignoring)
    return " ".join((text.lower() if text.isascii() else text.casefold()).split())


def plain(text: str, ignoring: str = "") -> str:
    """Text with full-width and other forms as plain ones, without the characters to ignore."""
    for char in ignoring:
        text = text.replace(char, "")
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


fold_value = lru_cache(maxsize=4096)(fold)
"""`fold` for what a spec looks for, which is the same in every dialogue."""


def numbers(text: str) -> list[Decimal]:
    """The numbers that a text says in figures; the sign may also be a dash.

    `1,200.50` says 1200.5; `MU5101` does not say 5101.
    """
    numerals = NUMERAL.findall(text if text.isascii() else text.translate(HALF_WIDTH))
    return [Decimal(numeral.replace(",", "").replace("−", "-")) for numeral in numerals]


# --- undecided (items that have a judge too) --------------------------------------------------

Kleene = tuple[int, int]
"""The steps after which something is true, and those after which it is false; a bit a step."""


def sure(steps: int) -> Kleene:
    """What is true at these steps is false at all others."""
    return steps, ~steps


def if_said(steps: int) -> Kleene:
    """Words that are there decide; words that are not leave the question to the judge."""
    return steps, 0


def all_of(*parts: Kleene) -> Kleene:
    """Kleene's and: true where all are true, false where one is."""
    true, false = -1, 0
    for part in parts:
        true &= part[0]
        false |= part[1]
    return true, false


def any_of(*parts: Kleene) -> Kleene:
    """Kleene's or: true where one is true, false where all are."""
    true, false = 0, -1
    for part in parts:
        true |= part[0]
        false &= part[1]
    return true, false


def negation(part: Kleene) -> Kleene:
    """Kleene's not."""
    return part[1], part[0]
