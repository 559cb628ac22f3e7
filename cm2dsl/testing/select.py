"""`-k`: which tests run, by parts of their names, as pytest's option of that name has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

TOKEN = re.compile(r"""\s*(?:([()])|"([^"]*)"|'([^']*)'|([^\s()"']+))""")

Matches = Callable[[Sequence[str]], bool]
"""Whether the names of a test are meant; they are in lower case."""


class SelectError(ValueError):
    """An expression that is none."""


def matcher(expression: str) -> Matches:
    """The expression as a function. A part of a name that has spaces stands in quotes; case does
    not matter. Raises SelectError.
    """
    parser = _Parser(_tokens(expression))
    found = parser.either()
    if parser.left:
        raise SelectError(f"`{parser.left[0][0]}` is not expected there")
    return found


def _tokens(text: str) -> list[tuple[str, bool]]:
    """(token, whether it is a part of a name and nothing else)."""
    found: list[tuple[str, bool]] = []
    at = 0
    while text[at:].strip():
        token = TOKEN.match(text, at)
        if token is None:
            raise SelectError(f"a quote is not closed: {text[at:].strip()}")
        bracket, double, single, word = token.groups()
        quoted = double if double is not None else single
        found.append((bracket or word, False) if quoted is None else (quoted, True))
        at = token.end()
    return found


class _Parser:
    """Reads the tokens from left to right; `not` binds tightest, then `and`, then `or`."""

    def __init__(self, tokens: list[tuple[str, bool]]) -> None:
        self.left = tokens

    def either(self) -> Matches:
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        return lambda names: any(part(names) for part in parts)

    def _both(self) -> Matches:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return lambda names: all(part(names) for part in parts)

    def _one(self) -> Matches:
        if self._took("not"):
            inner = self._one()
            return lambda names: not inner(names)
        if self._took("("):
            inner = self.either()
            if not self._took(")"):
                raise SelectError("a bracket is not closed")
            return inner
        if not self.left:
            raise SelectError("a part of a name is missing at the end")
        word, quoted = self.left.pop(0)
        if not quoted and word in ("and", "or", ")"):
            raise SelectError(f"a part of a name is missing before `{word}`")
        wanted = word.casefold()
        return lambda names: any(wanted in name for name in names)

    def _took(self, word: str) -> bool:
        if self.left and self.left[0] == (word, False):
            self.left.pop(0)
            return True
        return False
