"""How likely the verdict was that a model wrote, seen while it is decoded under the schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf, log

import torch

from cm2.judge.confidence import Token, confidence

_BEGUN = re.compile(rb'"verdict"\s*:\s*"[a-z]')


class Witness:
    """A logits processor that changes nothing: it stands behind the constraint, before the noise.

    What was allowed where a row's verdict begins is known one step later, when the token that
    begins it has been chosen: tokens may begin it together with the quote before it.
    """

    def __init__(self, tokens: Mapping[int, bytes], rows: int) -> None:
        self._tokens = tokens
        self._written = [b""] * rows
        self._began: list[tuple[bytes, Token] | None] = [None] * rows
        self._before: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        if self._before is not None:
            for row, chosen in enumerate(input_ids[:, -1].tolist()):
                self._see(row, chosen, self._before)
        self._before = logits
        return logits

    def _see(self, row: int, chosen: int, logits: torch.Tensor) -> None:
        written = self._written[row]
        self._written[row] = written + self._tokens.get(chosen, b"")
        if self._began[row] is None and _BEGUN.search(self._written[row]):
            self._began[row] = (written, self._token(chosen, logits[row]))

    def _token(self, chosen: int, logits: torch.Tensor) -> Token:
        """The chosen token among all that were allowed; tokens may write the same."""
        allowed = torch.isfinite(logits).nonzero()[:, 0]
        shares = torch.softmax(logits[allowed].double(), 0)
        odds: dict[bytes, float] = {}
        for i, share in zip(allowed.tolist(), shares.tolist(), strict=True):
            text = self._tokens.get(i, b"")
            odds[text] = odds.get(text, 0.0) + share
        others = {text: log(share) if share else -inf for text, share in odds.items()}
        text = self._tokens[chosen]
        return Token(text, others[text], tuple(others.items()))

    def confidence(self, row: int) -> float | None:
        """The probability of the verdict that a row's answer gives, among the three."""
        began = self._began[row]
        if began is None:
            return None
        before, token = began
        rest = self._written[row][len(before) + len(token.text) :]
        return confidence([Token(before, 0.0), token, Token(rest, 0.0)], complete=True)
