"""Is what the judge quotes really there? Code looks; nobody takes a model's word for it.

A quote and a text are compared as tokens: words, numbers, signs and sentence ends. So a match never
begins or ends inside a word or a number, and no sign of the text can be skipped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from cm2.judge.hygiene import concealed
from cm2dsl.reward.verdict import Evidence

_SHORTEST = 2
"""A single letter is found nearly anywhere, and shows nothing."""

_LONGEST = 100
"""The schema ends a quote after so many letters, also inside a word."""

_WIDE = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ua4cf"
    r"\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Letters of scripts in which words are not, or need not be, apart."""

_LEFT_OUT = "\"'`´\\·•،、¡¿"
_SENTENCE_ENDS = "!?;。؟؛।۔։።"

# What a token is, in the kinds of `_Kinds`. A comma or a full stop inside a number is part of it,
# or before one where no word ends. A dash is a sign beside a number or a currency, else a gap.
_TOKEN = re.compile(
    r"(?:(?<![LDW.])[.,](?=D))?D+(?:[.,:]D+)*|L+|W|S"
    r"|(?<=[LD])_+(?=[LD])|(?<=D)-|-(?=[G,]*\.?D|SG*[.,]?D)|(?P<end>[.:E])"
)
_WORD = re.compile("[LD]")
_AMOUNT = re.compile("[.,]?D|SG*[.,]?D")

# Stars glued to a word on one side alone are markup; between two numbers or words they are a sign.
_MARKUP = re.compile(r"""(?<![\w*])\*+(?=[\w"'(¥$€])|(?<=[^\s*])\*+(?![\w*(=/<>+-])""")

_NUMBER_BEFORE = re.compile(r"(?:\d[-+/.,:]|(?:^|[^\w.])[-+])\Z")
"""A number goes on to the left: its sign, or another number; on the same line."""

_WORD_AFTER = re.compile("_*[LD]")
_NUMBER_AFTER = re.compile(r"/\d| *[%‰]")
_NEGATED_BEFORE = re.compile(
    r"(?:[不没沒未无無非]|(?<![特区區分级級性类類个個识識辨])[别別]|\bnon-)\Z"
)
_NEGATED_AFTER = re.compile(r"['’]t\b")


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


class _Token(NamedTuple):
    text: str
    start: int
    end: int


class _Text(NamedTuple):
    """A text folded, the kinds of its letters, and the tokens in it."""

    plain: str
    kinds: str
    tokens: list[_Token]


def occurs(quote: str, text: str) -> bool:
    """Whether the text contains the quote, without differences that say nothing (`normalised`).

    A match has the same words, numbers, signs and sentence ends in the same order. It begins and
    ends with a word or a number of the text, not inside one, and leaves out no negation that it
    is glued to. A quote without a letter, digit or picture, or of one letter out of a longer text,
    does not count.
    """
    sought, said = _without_ends(_read(quote).tokens), _read(text)
    words = [token.text for token in sought]
    if not any(map(_says_something, "".join(words))):
        return False
    if len("".join(words)) < _SHORTEST:
        return words == [token.text for token in _without_ends(said.tokens)]
    cut = len(quote) >= _LONGEST
    return any(
        _stands(words, said, first, cut) for first in range(len(said.tokens) - len(words) + 1)
    )


def normalised(text: str) -> str:
    """The text without differences in case, full-width forms, white space and punctuation.

    Quotation marks, brackets, commas, dashes between words, stars of Markdown and white space say
    nothing, and invisible letters are left out. Sentence ends, signs and marks in a number stay.
    """
    said = " ".join(token.text for token in _read(text).tokens)
    return re.sub(r" ?(-|_+) ?", r"\1", said)


def _stands(words: Sequence[str], said: _Text, first: int, cut: bool) -> bool:
    """Whether the words are the tokens from the `first` on, and no word or number is cut there."""
    tokens = said.tokens[first : first + len(words)]
    *inner, last = (token.text for token in tokens)
    if inner != list(words[:-1]):
        return False
    if cut and last.startswith(words[-1]):
        return not _cut_before(said, tokens[0].start)
    if last != words[-1]:
        return False
    return not _cut_before(said, tokens[0].start) and not _cut_after(said, tokens[-1].end)


def _cut_before(said: _Text, start: int) -> bool:
    plain, kinds = said.plain, said.kinds
    before = plain[max(start - 4, 0) : start]
    if _WORD.match(kinds[start]):
        place = start
        while place and kinds[place - 1] == "_":
            place -= 1
        if place and _WORD.match(kinds[place - 1]):
            return True
    if _AMOUNT.match(kinds, start) and _NUMBER_BEFORE.search(before):
        return True
    return _NEGATED_BEFORE.search(before) is not None


def _cut_after(said: _Text, end: int) -> bool:
    plain, kinds = said.plain, said.kinds
    after = plain[end : end + 8]
    if end < len(kinds) and _WORD.match(kinds[end - 1]) and _WORD_AFTER.match(kinds, end):
        return True
    if kinds[end - 1] == "D" and _NUMBER_AFTER.match(after):
        return True
    return _NEGATED_AFTER.match(after) is not None


def _read(text: str) -> _Text:
    plain = _folded(concealed(_folded(concealed(text)).casefold()))
    kinds = plain.translate(_KINDS)
    for stars in _MARKUP.finditer(plain) if "*" in plain else ():
        kinds = kinds[: stars.start()] + "G" * len(stars[0]) + kinds[stars.end() :]
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(kinds):
        token = _Token(_said(plain[match.start() : match.end()]), *match.span())
        if not (match["end"] and tokens and tokens[-1].text == token.text):
            tokens.append(token)
    return _Text(plain, kinds, tokens)


def _said(token: str) -> str:
    return "." if token == "。" else token


def _without_ends(tokens: list[_Token]) -> list[_Token]:
    """The tokens without the sentence ends that they begin and end with."""
    said = [not _is_end(token.text) for token in tokens]
    if not any(said):
        return []
    return tokens[said.index(True) : len(said) - said[::-1].index(True)]


def _is_end(token: str) -> bool:
    return token in ".:" or token in _SENTENCE_ENDS


def _says_something(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LNM" or unicodedata.category(letter) == "So"


def _folded(text: str) -> str:
    """The text in normal form, dashes alike. 5² is not 52: what makes a digit of more stays."""
    if text.isascii():
        return text
    pieces = groupby(text, _changes_numbers)
    plain = "".join(
        "".join(run) if kept else unicodedata.normalize("NFKC", "".join(run))
        for kept, run in pieces
    )
    return "".join(
        "-" if letter == "−" or unicodedata.category(letter) == "Pd" else letter for letter in plain
    )


def _changes_numbers(letter: str) -> bool:
    """Whether a letter, such as ², ½ or ①, is another thing than the digits it is folded to."""
    kind = unicodedata.decomposition(letter).partition(">")[0]
    if kind in ("<super", "<sub", "<fraction", "<circle"):
        return True
    if kind in ("", "<wide", "<narrow", "<font") or not kind.startswith("<"):
        return False
    return any(map(str.isdigit, unicodedata.normalize("NFKC", letter)))


class _Kinds(dict[int, str]):
    """Code point -> what a letter is: L letter, D digit, W letter of a script without spaces,
    E sentence end, S sign, G gap, N the gap between lines; and these themselves: full stop, comma,
    colon, dash, underscore.
    """

    def __missing__(self, code: int) -> str:
        kind = self[code] = _kind(chr(code))
        return kind


_KINDS = _Kinds()


def _kind(letter: str) -> str:
    category = unicodedata.category(letter)
    if letter in ".,:-_":
        return letter
    if letter == "\n":
        return "N"
    if letter in _SENTENCE_ENDS:
        return "E"
    if category[0] in "ZC" or category in ("Ps", "Pe", "Pi", "Pf", "Pd", "Pc"):
        return "G"
    if letter in _LEFT_OUT:
        return "G"
    if category == "Nd":
        return "D"
    if category[0] in "LNM":
        return "W" if _WIDE.match(letter) else "L"
    return "S"
