"""The same dialogue with other codes: what makes a few hundred recordings teach copying.

A booking code, a price or the day of a month means nothing by itself; a policy has to copy it from
the user's words or a tool's result. With a few hundred recordings a small model learns the codes by
heart instead. So each time a recording is used, the letters and the digits of its codes are
exchanged by a random permutation, the same one throughout the dialogue: what was equal stays equal,
and nothing else can be learned than to copy.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class Relabeller:
    """Exchanges the characters of codes, on token ids.

    For a tokenizer in which every digit and every capital is a token of its own. A run of such
    tokens is a code if it is long (three or more with a digit, five or more without), or if it has
    two or more and stands first in what the policy was given, not in what it said: the day of
    `May 19` is a code, while the `05` and the `CAI` that an agent makes of `May` and `Cairo` are
    knowledge, and stay. The digit 0 stays too, because a JSON number must not begin with it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._letters, self._digits = (
            np.array([tokenizer.convert_tokens_to_ids(one) for one in group])
            for group in (string.ascii_uppercase, string.digits)
        )
        self._vocabulary = len(tokenizer)

    def codes(self, ids: Ids, said: Sequence[int]) -> NDArray[np.bool_]:
        """(T,) where `ids` (T,) are part of a code; `said` (T,) is 1 where the policy spoke."""
        given: dict[tuple[int, ...], bool] = {}
        found = np.zeros(len(ids), dtype=bool)
        for start, end in self._runs(ids):
            run = tuple(ids[start:end].tolist())
            first = given.setdefault(run, not said[start])
            long = len(run) >= 5 or (len(run) >= 3 and bool(np.isin(run, self._digits).any()))
            found[start:end] = long or (first and len(run) >= 2)
        return found

    def _runs(self, ids: Ids) -> Iterator[tuple[int, int]]:
        single = np.isin(ids, self._letters) | np.isin(ids, self._digits)
        edges = np.flatnonzero(np.diff(single, prepend=False, append=False))
        yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)

    def __call__(self, ids: Ids, codes: NDArray[np.bool_], noise: np.random.Generator) -> Ids:
        """`ids` with its codes exchanged."""
        table = np.arange(self._vocabulary)
        table[self._letters] = noise.permutation(self._letters)
        table[self._digits[1:]] = noise.permutation(self._digits[1:])
        return np.where(codes, table[ids], ids)
