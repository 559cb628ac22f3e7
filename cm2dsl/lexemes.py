"""A text as a list of lexemes, which an edit can change: what a parse that failed is mended in."""

from __future__ import annotations

import re

from msgspec import Struct

from cm2dsl import tables
from cm2dsl.driver import FIRST, KEYWORDS, NAME, SIGN, SIGNS, TOKEN, skip

STRING, LONG_STRING = (tables.KINDS.index(kind) + 1 for kind in ("STRING", "LONG_STRING"))
NUMBER, REGEX = (tables.KINDS.index(kind) + 1 for kind in ("NUMBER", "REGEX"))
WORD = re.compile(r"\w+")


class Lexeme(Struct, frozen=True, gc=False):
    """A piece of text that may be a token. `group` is its place in KINDS, from 1; 0 is no token."""

    group: int
    text: str
    start: int
    stop: int


def lexemes(text: str, position: int = 0) -> list[Lexeme]:
    """All lexemes from a position on; a quote that is never closed is a lexeme of no group."""
    found: list[Lexeme] = []
    while True:
        match = TOKEN(text, position)
        if match is None:
            position = skip(text, position)
            if position >= len(text):
                return found
            group, start, stop = 0, position, position + 1
        else:
            group = match.lastindex or 0
            start, stop = match.span(group)
            if match[group] == '""' and text.startswith('"', stop):
                group, stop = 0, stop + 1
        found.append(Lexeme(group, text[start:stop], start, stop))
        position = stop


def kind_of(lexeme: Lexeme, actions: dict[str, int]) -> str | None:
    """The terminal that a lexeme is where these may come; None for what is no token."""
    group = lexeme.group
    if group == NAME:
        keyword = KEYWORDS.get(lexeme.text)
        return keyword if keyword in actions else "NAME"
    if group == SIGN:
        return SIGNS[lexeme.text]
    return tables.KINDS[group - 1] if group else None


def split_phrase(lexeme: Lexeme) -> list[Lexeme]:
    """`nothing else` as the two names that it is where it has no place."""
    first = Lexeme(NAME, lexeme.text[:FIRST], lexeme.start, lexeme.start + FIRST)
    last = WORD.findall(lexeme.text)[-1]
    return [first, Lexeme(NAME, last, lexeme.stop - len(last), lexeme.stop)]
