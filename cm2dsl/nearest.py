"""The word that was meant: the nearest of those that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable

DIGITS = re.compile(r"\d+")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is fewest edits away, if few enough for a slip; of several, the first.

    An edit is a letter that is missing, too much, another, or in its neighbour's place. Two are a
    slip in words of five letters, one in words of three. Longer words may differ in more, if they
    begin alike. Names that differ in digits alone are numbered: another number is another thing.
    """
    bare = DIGITS.sub("", word)
    names = sorted({name for name in known if name == word or DIGITS.sub("", name) != bare})
    folded = word.casefold()
    for name in names:
        if name.casefold() == folded:
            return name
    near = [(apart, name) for name in names if (apart := _slip(word, name)) is not None]
    if near:
        return min(near)[1]
    from difflib import get_close_matches  # seldom needed, and slow to load

    alike = [name for name in names if _begin_alike(folded, name)]
    return next(iter(get_close_matches(word, alike, n=1, cutoff=0.6)), None)


def _slip(word: str, name: str) -> int | None:
    """The edits between two words, or between their last parts if the first are equal."""
    head, dot, tail = word.rpartition(".")
    if dot and name.startswith(head + dot):
        word, name = tail, name[len(head) + 1 :]
    short = min(len(word), len(name))
    most = 2 if short >= 5 else 1 if short >= 3 else 0
    apart = edits(word, name, most)
    return apart if 0 < apart <= most else None


def _begin_alike(folded: str, name: str) -> bool:
    """Whether a name, or its last part, begins as the word does: few mistype the first letter."""
    starts = {name[:1].casefold(), name.rpartition(".")[2][:1].casefold()}
    return folded[:1] in starts


def edits(one: str, other: str, most: int) -> int:
    """The edits from one word to another (optimal string alignment), or `most` + 1 if more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        above = rows[-1]
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        rows.append(row)
    return rows[-1][-1]
