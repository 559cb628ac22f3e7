"""Tokens to lines: what stands on one line, and where a line that is too long is broken."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cm2dsl.fmt.tokens import Tok

WIDTH = 100
OPENING, CLOSING = frozenset({"LPAR", "LSQB"}), frozenset({"RPAR", "RSQB"})
TIGHT_AFTER = frozenset({"LPAR", "LSQB", "DOT", "RANGE"})
TIGHT_BEFORE = frozenset({"RPAR", "RSQB", "COMMA", "DOT", "RANGE"})
NAMES = frozenset({"NAME", "STRING", "LONG_STRING", "STAR"})
PARTS = frozenset({"WEIGHT", "AFTER", "STRICT", "VETO", "PENALTY", "EACH", "WHERE", "SPLIT"})
"""Terminals before which the head of a block may be broken."""


def flat(tokens: Sequence[Tok]) -> str:
    """The tokens on one line (but for strings that go over several)."""
    text = ""
    for place, tok in enumerate(tokens):
        if place and not _tight(tokens[place - 1], tok):
            text += " "
        text += tok.text
    return text


def _tight(before: Tok, tok: Tok) -> bool:
    """Whether two tokens touch."""
    if before.kind in TIGHT_AFTER or tok.kind in TIGHT_BEFORE:
        return True
    if tok.kind == "LPAR":
        return before.kind in NAMES
    if tok.kind == "LSQB":
        return before.kind in (*NAMES, "RSQB")
    return before.kind == "LBRACE" and tok.kind == "RBRACE"


def fits(text: str, indent: int) -> bool:
    """Whether a text, begun at a column, stays within the width on each of its lines."""
    first, *rest = text.split("\n")
    return indent + len(first) <= WIDTH and all(len(line) <= WIDTH for line in rest)


def broken(tokens: Sequence[Tok], indent: int) -> list[tuple[int, list[Tok]]]:
    """(indent, tokens) of each line of a part that has no block.

    A line ends after a token that has a comment behind it, and before one that has some above it;
    else a part that is too long is broken where its kind allows.
    """
    forced = [
        place
        for place in range(1, len(tokens))
        if tokens[place].above or tokens[place - 1].behind is not None
    ]
    if forced:
        return _cut(tokens, forced, indent, indent + 4)
    if fits(flat(tokens), indent):
        return [(indent, list(tokens))]
    if tokens[0].kind == "CHECK":
        return _check(tokens, indent)
    commas = [one + 1 for one in _outermost(tokens, "COMMA")]
    parts = [one for one, tok in enumerate(tokens) if one and tok.kind in PARTS]
    places = sorted({*commas, *parts})
    rows = [place for place in places if tokens[place].kind == "EACH"]
    if rows:  # what a task is called, and what it is made for
        first, rest = tokens[: rows[0]], tokens[rows[0] :]
        inner = [place - rows[0] for place in places if place > rows[0]]
        return [(indent, list(first)), *_filled(rest, inner, indent + 4, indent + 4)]
    return _filled(tokens, places, indent, indent + 4)


def _cut(
    tokens: Sequence[Tok], places: Sequence[int], indent: int, inner: int
) -> list[tuple[int, list[Tok]]]:
    bounds = [0, *places, len(tokens)]
    pieces = [list(tokens[a:b]) for a, b in pairwise(bounds)]
    return [(inner if number else indent, piece) for number, piece in enumerate(pieces)]


def _check(tokens: Sequence[Tok], indent: int) -> list[tuple[int, list[Tok]]]:
    """A check, broken before its outermost `or`s, else its `and`s, else at `except` and commas."""
    for kind in ("OR", "AND"):
        places = _outermost(tokens, kind)
        if places:
            pieces = _cut(tokens, places, indent, indent + 2)
            return [line for at, piece in pieces for line in _piece(piece, at, indent + 4)]
    return _piece(tokens, indent, indent + 4)


def _piece(tokens: Sequence[Tok], indent: int, inner: int) -> list[tuple[int, list[Tok]]]:
    """A part of a check; what does not fit on its line goes on at `inner`."""
    if fits(flat(tokens), indent):
        return [(indent, list(tokens))]
    places = _outermost(tokens, "AND")
    if places:
        cut = _cut(tokens, places, indent, inner)
        return [line for at, piece in cut for line in _piece(piece, at, inner + 2)]
    after = [one + 1 for one in _outermost(tokens, "COMMA") if one + 1 < len(tokens)]
    patterns = sorted([*_outermost(tokens, "EXCEPT"), *after])
    if patterns:
        cut = _cut(tokens, patterns, indent, inner)
        return [line for at, piece in cut for line in _piece(piece, at, inner + 2)]
    commas = [
        place + 1
        for place, depth in _depths(tokens)
        if depth == 1 and tokens[place].kind == "COMMA"
    ]
    return _filled(tokens, commas, indent, inner)


def _outermost(tokens: Sequence[Tok], kind: str) -> list[int]:
    """Where a terminal stands outside all brackets, but for the first token."""
    depths = _depths(tokens)
    return [place for place, depth in depths if place and not depth and tokens[place].kind == kind]


def _filled(
    tokens: Sequence[Tok], places: Sequence[int], indent: int, inner: int
) -> list[tuple[int, list[Tok]]]:
    """As many pieces on a line as it holds."""
    bounds = [0, *places, len(tokens)]
    lines: list[tuple[int, list[Tok]]] = []
    for start, stop in pairwise(bounds):
        piece = list(tokens[start:stop])
        if lines and fits(flat([*lines[-1][1], *piece]), lines[-1][0]):
            lines[-1][1].extend(piece)
        else:
            lines.append((inner if lines else indent, piece))
    return lines


def _depths(tokens: Sequence[Tok]) -> list[tuple[int, int]]:
    """(place, how many brackets are open there) of every token."""
    depth = 0
    found = []
    for place, tok in enumerate(tokens):
        depth -= tok.kind in CLOSING
        found.append((place, depth))
        depth += tok.kind in OPENING
    return found
