"""Which texts of a dialogue lose their middle, so that a prompt keeps within its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 400
"""Letters that are left of any text that is cut: less would be of no use to anybody."""

MARKER = 60
"""Letters, at most, of the line that says how much was left out."""

_MARGIN = 40
"""Letters a cut is moved by, at most, not to fall into a word or a number."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A text as far as it is shown: its beginning, and its end where the middle is left out."""

    head: str
    tail: str = ""
    left_out: int = 0

    @property
    def pieces(self) -> tuple[str, ...]:
        """What is shown without a gap."""
        return (self.head, self.tail) if self.left_out else (self.head,)


@dataclass(frozen=True, slots=True)
class Sized:
    """A text's length, the letters around it, and when it gives way: 0 first, never if None."""

    length: int
    around: int
    rank: int | None

    def shown(self, most: int | None) -> int:
        """Letters that are shown where the text is cut to `most` of its own."""
        own = self.length if most is None else min(self.length, most + MARKER)
        return own + self.around


def bounded(text: str, most: int | None) -> Bounded:
    """The text, cut to `most` letters where that makes it any shorter with its marker in it."""
    if most is None or len(text) <= most + MARKER:
        return Bounded(text)
    half = most // 2
    start = next((i for i in range(half, half - _MARGIN, -1) if _parts(text, i)), half)
    least = len(text) - half
    end = next((i for i in range(least, least + _MARGIN) if _parts(text, i)), least)
    return Bounded(text[:start], text[end:], end - start)


def caps(texts: Sequence[Sized], cap: int, room: int) -> list[int | None] | None:
    """How many letters of each text are shown, so that all fit into the room; None where none can.

    Those of rank 0 are cut to `cap`. Where that is not enough, each rank in turn is cut evenly, to
    the most that fits, and no text to less than LEAST; None in the list is a text shown whole.
    """
    most: dict[int | None, int | None] = {None: None, 0: max(cap, LEAST)}
    for rank in sorted({text.rank for text in texts if text.rank is not None}):
        if _total(texts, most) <= room:
            break
        low, high = LEAST, max(most.get(rank) or 0, *(t.length for t in texts if t.rank == rank))
        while low < high:
            middle = (low + high + 1) // 2
            if _total(texts, most | {rank: middle}) <= room:
                low = middle
            else:
                high = middle - 1
        most[rank] = min(low, most.get(rank) or low)
    if _total(texts, most) > room:
        return None
    return [most.get(text.rank) for text in texts]


def _total(texts: Sequence[Sized], most: dict[int | None, int | None]) -> int:
    return sum(text.shown(most.get(text.rank)) for text in texts)


def _parts(text: str, at: int) -> bool:
    """Whether a cut here leaves words and numbers whole."""
    return not (_is_of_word(text[at - 1]) and _is_of_word(text[at]))


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter in ".,:-_"
