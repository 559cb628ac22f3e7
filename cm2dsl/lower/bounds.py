"""Whether a schema's bounds (`minimum`, `maxLength`, `pattern` …) rule a value out."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from typing import Any

from cm2dsl.schemas import PathType

EQUAL = ("==", "!=", "in")

NUMBERS = {
    "minimum": lambda value, bound: value >= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
}
LENGTHS = {
    "minLength": lambda text, bound: len(text) >= bound,
    "maxLength": lambda text, bound: len(text) <= bound,
}


def out_of_bounds(op: str, value: Any, expected: PathType) -> str | None:
    """The bound, as the schema says it, that leaves no value which is `op` to this one."""
    limits = expected.limits
    if limits is None:
        return None
    if _is_number(value):
        words = _beyond(op, value, limits)
    elif isinstance(value, str) and op in EQUAL:
        words = [word for word, meets in LENGTHS.items() if _misses(value, limits, word, meets)]
        words += ["pattern"] if _unmatched(value, limits.get("pattern")) else []
    else:
        words = []
    return json.dumps({words[0]: limits[words[0]]}, ensure_ascii=False)[1:-1] if words else None


def _beyond(op: str, value: float, limits: Mapping[str, Any]) -> list[str]:
    """The bounds of numbers that are in the way."""
    if op in EQUAL:
        return [word for word, meets in NUMBERS.items() if _misses(value, limits, word, meets)]
    lower = op in ("<", "<=")
    words = ("minimum", "exclusiveMinimum") if lower else ("maximum", "exclusiveMaximum")
    found = []
    for word in words:
        bound = limits.get(word)
        if not _is_number(bound):
            continue
        assert isinstance(bound, int | float)
        outside = value < bound if lower else value > bound
        if outside or (value == bound and (op in ("<", ">") or word.startswith("exclusive"))):
            found.append(word)
    return found


def _misses(value: Any, limits: Mapping[str, Any], word: str, meets: Any) -> bool:
    bound = limits.get(word)
    return _is_number(bound) and not meets(value, bound)


def _unmatched(text: str, pattern: object) -> bool:
    """Whether a text is surely not of a pattern: JSON Schema's are those of JavaScript, where `\\d`
    is a digit of ASCII; so it has to be missed either way.
    """
    if not isinstance(pattern, str):
        return False
    try:
        with warnings.catch_warnings(category=FutureWarning, action="error"):
            return not any(re.search(pattern, text, flags) for flags in (re.ASCII, re.UNICODE))
    except (re.error, FutureWarning, OverflowError, RecursionError):
        return False  # JavaScript may know it: nothing is known


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
