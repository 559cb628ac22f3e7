"""A text in which a regular expression is found."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any

# What `re` compiles from. It is private, and the only reader that agrees with `re` on everything.
_parser: Any = import_module("re._parser")

LETTERS: tuple[str, ...] = ("a", "0", " ", "A", *string.printable, "是")
"""What stands for any character, the first that fits."""


@lru_cache(maxsize=1024)
def text_for(pattern: str) -> str | None:
    """A short text in which the pattern is found; None where none was made.

    Of alternatives the first is taken, and of what may be repeated as little as may be.
    """
    try:
        text = _said(_parser.parse(pattern), {})
        return text if re.search(pattern, text) else None
    except (re.error, ValueError, OverflowError, RecursionError):
        return None


def _said(parts: Iterable[tuple[Any, Any]], groups: dict[int, str]) -> str:
    return "".join(_one(str(op), argument, groups) for op, argument in parts)


def _one(op: str, argument: Any, groups: dict[int, str]) -> str:
    match op:
        case "LITERAL":
            return chr(int(argument))
        case "NOT_LITERAL":
            return next(char for char in LETTERS if ord(char) != argument)
        case "ANY":
            return LETTERS[0]
        case "IN":
            return _out_of(argument)
        case "BRANCH":
            return _said(argument[1][0], groups)
        case "SUBPATTERN":
            number, _, _, inner = argument
            text = _said(inner, groups)
            if number is not None:
                groups[number] = text
            return text
        case "ATOMIC_GROUP":
            return _said(argument, groups)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, _, inner = argument
            text = _said(inner, groups) if least else ""
            if least * max(len(text), 1) > MOST:
                raise ValueError("too long")
            return text * int(least)
        case "GROUPREF":
            return groups.get(argument, "")
        case "ASSERT":
            direction, inner = argument
            return _said(inner, groups) if direction > 0 else ""
        case "GROUPREF_EXISTS":
            return _said(argument[1] if argument[0] in groups else argument[2] or (), groups)
        case _:  # `AT`, `ASSERT_NOT`: places, that take no text
            return ""


MOST = 10_000
"""Characters of what is repeated, above which no text is made."""


def _out_of(parts: list[tuple[Any, Any]]) -> str:
    """A character of a set: one that it names, else the first that fits."""
    names = [(str(op), argument) for op, argument in parts]
    if names[0][0] != "NEGATE":
        op, argument = names[0]
        if op == "LITERAL":
            return chr(int(argument))
        if op == "RANGE":
            return chr(int(argument[0]))
    return next(char for char in LETTERS if _is_in(ord(char), names))


def _is_in(code: int, names: list[tuple[str, Any]]) -> bool:
    negated = names[0][0] == "NEGATE"
    return negated != any(_meets(code, op, argument) for op, argument in names[negated:])


def _meets(code: int, op: str, argument: Any) -> bool:
    if op == "LITERAL":
        return bool(code == argument)
    if op == "RANGE":
        return bool(argument[0] <= code <= argument[1])
    return re.match(CLASSES[str(argument)], chr(code)) is not None


CLASSES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
