"""Untrusted text made safe to show: no control tokens in it, and a fence it cannot close."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import count

_BREAK = "·"
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def neutralised(text: str, control_tokens: Sequence[str]) -> str:
    """The text without any control token, each broken up by a middle dot after its first letter.

    The dot is visible, so that no tokenizer's own normalisation removes it again. Half surrogate
    pairs, which no tokenizer can read, become U+FFFD.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    tokens = sorted({token for token in control_tokens if token.strip(_BREAK + " \t\r\n")})
    if not tokens:
        return text
    longest_first = sorted(tokens, key=len, reverse=True)
    found = re.compile("|".join(re.escape(token) for token in longest_first))
    while found.search(text):  # a broken token may hold a shorter one, or complete another
        text = found.sub(_broken, text)
    return text


def _broken(match: re.Match[str]) -> str:
    token = match[0]
    if _BREAK in token:
        return _UNREADABLE
    return token[0] + _BREAK + token[1:] if len(token) > 1 else _BREAK


def fence_for(texts: Iterable[str]) -> str:
    """A line that none of the texts contains, whatever look-alikes and invisible letters they use.

    The plain fence for nearly every dialogue, so that their prompts begin alike; otherwise the
    first numbered one that is free. It stays short: a text of nothing but fences cannot inflate it.
    """
    plain = [visible(text) for text in texts]
    fences = ("====" if not n else f"===={n}====" for n in count())
    return next(fence for fence in fences if not any(fence in text for text in plain))


def visible(text: str) -> str:
    """The text as a reader sees it: full-width forms folded, invisible letters left out."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in folded if unicodedata.category(letter) != "Cf")
