"""How sure a model was of its verdict: the probability of the token that began it.

The grammar says where that token is: in the string after `"verdict":`. The three verdicts begin
with three letters, so the token that writes the first of them decides. The probabilities of the
tokens that could have stood there are summed by the verdict that each begins, and divided by their
sum: what the schema does not allow there, and servers report all the same, does not count. A token
that only reaches the opening quote begins no verdict, and does not count either. Servers report the
few likeliest tokens: a verdict that none of them begins is taken to be as likely as the least of
them, which is the most that it can be, so that nothing looks surer than it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

VERDICTS = ("pass", "fail", "insufficient")
_VERDICT = re.compile(rb'"verdict"\s*:\s*"(pass|fail|insufficient)"')


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer, as bytes, with its log-probability and those that were likely there."""

    text: bytes
    logprob: float
    others: Sequence[tuple[bytes, float]] = ()


def confidence(tokens: Sequence[Token], *, complete: bool = False) -> float | None:
    """The share of the verdict that was written among the three; None where no place is known.

    `complete` says that a token's `others` are all that could have stood there.
    """
    written = b"".join(token.text for token in tokens)
    found = _VERDICT.search(written)
    if found is None:
        return None
    start, at = found.start(1), 0
    for token in tokens:
        if at + len(token.text) > start:
            return _share(token, written[at:start], found[1].decode(), complete)
        at += len(token.text)
    return None


def _share(token: Token, before: bytes, verdict: str, complete: bool) -> float | None:
    """The verdict's share at the token that begins it, `before` being what it has in front."""
    odds = dict.fromkeys(VERDICTS, 0.0)
    for text, logprob in {**dict(token.others), token.text: token.logprob}.items():
        begun = _begun(text, before)
        if begun is not None:
            odds[begun] += _probability(logprob)
    least = min((_probability(logprob) for _, logprob in token.others), default=1.0)
    least = 0.0 if complete else least
    whole = math.fsum(number or least for number in odds.values())
    return odds[verdict] / whole if whole else None


def _probability(logprob: float) -> float:
    return 0.0 if math.isnan(logprob) else math.exp(min(logprob, 0.0))


def _begun(text: bytes, before: bytes) -> str | None:
    """The verdict that a token begins; it may end before the verdict does, or go on behind it."""
    if len(text) <= len(before) or not text.startswith(before):
        return None
    rest = text[len(before) :]
    for verdict in VERDICTS:
        whole = verdict.encode() + b'"'
        if whole.startswith(rest) or rest.startswith(whole):
            return verdict
    return None
