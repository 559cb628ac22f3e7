"""Where JSON is not strict: the reader says what is wrong, and not always in which line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
DIGITS = 4300
"""Digits of a whole number that Python reads."""


def first_fault(text: str) -> int | None:
    """The position of the first value that strict JSON has not, or of a key that occurs twice.

    `text` is JSON in all else; None where no such thing is found.
    """
    keys: list[set[str] | None] = []  # of each object that is open; None for a list
    pending = False  # whether a key may come
    for position, token in _tokens(text):
        if token in "{[":
            keys.append(set() if token == "{" else None)
            pending = token == "{"
        elif token in "}]":
            if keys:
                keys.pop()
            pending = False
        elif token == ",":
            pending = bool(keys) and keys[-1] is not None
        elif token == ":":
            pending = False
        else:
            if not _is_strict(token):
                return position
            known = keys[-1] if keys else None
            if pending and known is not None:
                key = _read(token)
                if key in known:
                    return position
                known.add(key)
    return None


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    return ((match.start(), match.group()) for match in TOKEN.finditer(text))


def _is_strict(token: str) -> bool:
    if token.startswith('"'):
        return "\\u" not in token or not re.search("[\ud800-\udfff]", _read(token))
    if re.fullmatch(r"-?[\d.eE+-]+", token):
        digits = len(token.lstrip("-"))
        return math.isfinite(float(token)) if not token.lstrip("-").isdigit() else digits <= DIGITS
    return token in ("true", "false", "null")


def _read(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except json.JSONDecodeError:
        return ""
