"""Is what the judge quotes really there? Code looks; nobody takes a model's word for it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from cm2.judge.hygiene import concealed
from cm2dsl.reward.verdict import Evidence

_SHORTEST = 2
"""A single letter is found nearly anywhere, and shows nothing."""

# Marks that change a number are part of it: 1.5 is not 15 or 1,5, and -5 is not 5.
_IN_NUMBER = re.compile(r"(?<=\d)[.,:/](?=\d)|(?<!\w)[-+](?=\d)|(?<=\d)%")
_WIDE = r"[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
_BESIDE_WIDE = re.compile(rf"(?<={_WIDE}) | (?={_WIDE})")


def verified(
    quotes: Iterable[tuple[str, str]], shown: Mapping[str, Sequence[str]]
) -> tuple[Evidence, ...]:
    """Those of the (segment, quote) pairs whose quote occurs in the segment, in order.

    `shown` is name -> what the judge has seen of a segment, in pieces with gaps between them: a
    quote has to be in one of them. No other segment counts.
    """
    found = [
        Evidence(segment, quote)
        for segment, quote in quotes
        if any(occurs(quote, piece) for piece in shown.get(segment, ()))
    ]
    return tuple(dict.fromkeys(found))


def occurs(quote: str, text: str) -> bool:
    """Whether the text contains the quote: exactly, or else once both are normalised.

    A quote of nothing but white space and punctuation, or of one letter out of a longer text,
    does not count.
    """
    plain = normalised(quote)
    if not plain:
        return False
    if len(plain) < _SHORTEST:
        return plain == normalised(text)
    return quote in text or plain in normalised(text)


def normalised(text: str) -> str:
    """The text without differences in case, full-width forms, white space and punctuation.

    White space and punctuation between words is one space, and none beside a letter of a script
    written without spaces; invisible letters are left out; marks inside a number stay.
    """
    plain = concealed(unicodedata.normalize("NFKC", concealed(text)))
    text = plain.casefold().replace("−", "-")
    kept = {match.start() for match in _IN_NUMBER.finditer(text)}
    words = "".join(
        letter if i in kept or not _separates(letter) else " " for i, letter in enumerate(text)
    )
    return _BESIDE_WIDE.sub("", " ".join(words.split()))


def _separates(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "PZC"
