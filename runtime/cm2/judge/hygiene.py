"""Untrusted text made safe to show: nothing hidden in it, no control tokens, no way out of it.

A text is compared with control tokens and fences as the most forgiving reader would: full-width and
accented letters, look-alikes and invisible letters make no difference. A tokenizer's normalisation
folds some of these, and a model may take any of them for the real thing.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import count

_BREAK = "·"
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
_OPEN, _CLOSE = "<<", ">>"
_FENCE = "===="

_SHOWN_CODES = 4
"""Of a run of invisible letters, so many are spelt out: a hidden text must not blow up a prompt."""

_KEPT_TEXTS = 4096

# Default_Ignorable_Code_Point of Unicode 16, controls but tab and line feed, and further line ends.
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_RUN = re.compile(f"[{_HIDDEN}]+")

# What joins letters in scripts that need it, and emoji: part of a text, and visible in its shape.
_JOINER = re.compile("[\u200c\u200d]|\ufe0f\u200d?")
_JOINED = re.compile(
    "[\u00a9\u00ae\u0590-\u109f\u1780-\u18af\u203c\u2049\u20e3\u2122-\u2bff\u3030\u303d"
    "\u3297\u3299\U0001f000-\U0001faff]"
)

_CODES = re.compile(r"<U\+([0-9A-F]{4,6}(?: U\+[0-9A-F]{4,6})*)(?: \+[0-9]+)?>")

# Letters and signs that look like ASCII, as far as fences and control tokens are made of it, and
# that no normalisation form folds: Cyrillic, Greek, Armenian, and brackets, bars and double lines.
_LOOK_ALIKES = str.maketrans(
    dict(
        zip(
            "асԁеһіјкӏмоԛрѕтуѵԝхАВСЕНІЈКМОРЅТУХԜ",
            "acdehijklmoqpstyvwxABCEHIJKMOPSTYXW",
            strict=True,
        )
    )
    | dict(zip("αινορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aivoptuxABEZHIKMNOPTYX", strict=True))
    | dict(zip("ոսօցɡıɩǀ∣│❘‹›❮❯˂˃꞊᐀⹀゠꓿═⚌▁", "nuoggii||||<><><>======= ", strict=True))
    | {"≪": "<<", "≫": ">>", "⟪": "<<", "⟫": ">>"}
)


class _Folds(dict[int, str | None]):
    """Code point -> what it is compared as, after decomposition; None for what does not count."""

    def __missing__(self, code: int) -> str | None:
        letter = chr(code)
        kind = unicodedata.category(letter)
        folded: str | None = letter
        if kind in ("Mn", "Me", "Cf") or unicodedata.combining(letter) or _RUN.match(letter):
            folded = None
        elif kind == "Nd":
            folded = str(unicodedata.digit(letter))
        self[code] = folded
        return folded


_FOLDS = _Folds()


def folded(text: str) -> str:
    """The text as it is compared: letter by letter, so that it can be traced to where it stands."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKES)).translate(_LOOK_ALIKES)
    return plain.translate(_FOLDS).casefold()


class Hygiene:
    """What a tokenizer's control tokens make necessary."""

    def __init__(self, control_tokens: Sequence[str]) -> None:
        tokens = {folded(token) for token in control_tokens}
        self._tokens = _any_of(token for token in tokens if token.strip(f"{_BREAK} \t\r\n"))
        self._marks = _any_of({_OPEN, _CLOSE, _FENCE})
        self.text = lru_cache(_KEPT_TEXTS)(self._text)

    def _text(self, text: str) -> str:
        """The text with what is hidden spelt out, and every control token broken up.

        A middle dot stands after a token's first letter: it is visible, so no normalisation removes
        it again. Half surrogate pairs, which no tokenizer can read, become U+FFFD.
        """
        return _broken(self._tokens, revealed(text))

    def words(self, text: str) -> str:
        """A text for outside fences: also without what could be taken for a fence, or << and >>."""
        return _broken(self._marks, self.text(text))

    def value(self, text: str) -> str:
        """Somebody's data for outside fences: on one line, between << and >>, and closed there."""
        inside = self.words(" ".join(text.split()))
        if inside.endswith(">"):
            inside += _BREAK
        return f"{_OPEN}{inside}{_CLOSE}"

    def fence(self, texts: Iterable[str]) -> str:
        """A line that none of the texts contains, whatever look-alikes they use and spaces.

        The plain fence for nearly every dialogue, so that their prompts begin alike; otherwise the
        first numbered one that is free. It stays short: a text of nothing but fences cannot inflate
        it.
        """
        suspects = [squeezed for text in texts if _FENCE in (squeezed := _squeezed(text))]
        fences = (_FENCE if not n else f"{_FENCE}{n}{_FENCE}" for n in count())
        return next(fence for fence in fences if not any(fence in text for text in suspects))


@cache
def _hygiene(control_tokens: tuple[str, ...]) -> Hygiene:
    return Hygiene(control_tokens)


def hygiene_for(control_tokens: Sequence[str]) -> Hygiene:
    """The hygiene for control tokens, made once."""
    return _hygiene(tuple(control_tokens))


def revealed(text: str) -> str:
    """The text with every invisible letter spelt out: `<U+200B>`, runs as `<U+200B U+200C +7>`."""
    if text.isascii() and text.isprintable():
        return text
    readable = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _RUN.sub(_spelt, readable.replace("\r\n", "\n"))


def concealed(text: str) -> str:
    """The text without invisible letters, and without what `revealed` puts in their place.

    Where they end a line or a word there is a space.
    """
    return _RUN.sub(lambda run: _gap(run[0]), _CODES.sub(_unspelt, text))


def _spelt(match: re.Match[str]) -> str:
    run, text = match[0], match.string
    before, after = (
        text[max(match.start() - 1, 0) : match.start()],
        text[match.end() : match.end() + 1],
    )
    if _JOINER.fullmatch(run) and _joins(before, run, after):
        return run
    codes = " ".join(f"U+{ord(letter):04X}" for letter in run[:_SHOWN_CODES])
    more = f" +{len(run) - _SHOWN_CODES}" if len(run) > _SHOWN_CODES else ""
    return f"<{codes}{more}>"


def _joins(before: str, run: str, after: str) -> bool:
    """Whether a joiner, or what makes an emoji of a sign, has something to do where it stands."""
    if not _JOINED.match(before):
        return run == "\ufe0f" and before in "#*0123456789" and after == "\u20e3"
    return run == "\ufe0f" or _JOINED.match(after) is not None


def _unspelt(match: re.Match[str]) -> str:
    """A gap for codes of invisible letters; whatever else looks like it is a text's own."""
    codes = [int(code, 16) for code in match[1].replace("U+", "").split()]
    if not all(code <= sys.maxunicode and _RUN.match(chr(code)) for code in codes):
        return match[0]
    return _gap("".join(map(chr, codes)))


def _gap(run: str) -> str:
    return " " if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in run) else ""


def _squeezed(text: str) -> str:
    return "".join(folded(text).split())


def _any_of(tokens: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _broken(tokens: re.Pattern[str] | None, text: str) -> str:
    """The text without any of the tokens, also none that begins or ends with the lines around."""
    if tokens is None:
        return text
    if not tokens.search(f"\n{folded(text)}\n"):
        return text
    before = ""
    while text != before:  # breaking one may leave, or complete, another
        before, text = text, _broken_once(tokens, text)
    return text


def _broken_once(tokens: re.Pattern[str], text: str) -> str:
    pieces = ["\n", *map(folded, text), "\n"]
    origin = [i - 1 for i, piece in enumerate(pieces) for _ in piece]
    letters = list(text)
    for match in tokens.finditer("".join(pieces)):
        first, last = origin[match.start()], min(origin[match.end() - 1], len(letters) - 1)
        if first < 0:
            letters[0] = _BREAK + letters[0]
        elif first == last:
            letters[first] = _UNREADABLE if len(match[0]) > 1 else _BREAK
        elif _BREAK in match[0]:
            letters[first : last + 1] = [_UNREADABLE, *[""] * (last - first)]
        else:
            letters[first] += _BREAK
    return "".join(letters)
