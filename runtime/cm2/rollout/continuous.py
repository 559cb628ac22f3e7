"""Who takes part in the next forward: a state machine without a model, a task or a clock.

A dialogue that wants a message waits, is prefilled (its new tokens enter the cache, in chunks), and
decodes, a token a forward, until its message ends. Then it is idle: its slot keeps what it has,
because the same dialogue comes back with a tool's results. Only where slots are short, the one that
has been idle longest loses its own, and is prefilled whole when it comes back.

Slots are in order: first those that decode, then those that are prefilled, then idle and free ones.
So every forward is about slots side by side, and a dialogue changes its state by changing places.

Prefill and decode are separate forwards, because a row of one token and a row of a hundred in the
same rectangle is mostly padding. A prefill waits for company, though not long: small ones cost
nearly as much as large ones, and a decoding row that waits for a prefill loses as much time as a
waiting row that waits for company. After a prefill, a decode comes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

D = TypeVar("D")

_PATIENCE = 4
"""Decodes that a prefill waits for company."""

_COMPANY = 8
"""It waits no longer when it is as many as one for every so many decoding rows."""

_UNLIKE = 2
"""Rows are prefilled together if the longest piece is at most so many times the shortest."""


@dataclass(slots=True, eq=False)
class Row(Generic[D]):
    """A dialogue as the scheduler sees it; `dialogue` is what its owner knows it by.

    `ids` is all that it was given and all that was sampled; the first `kept` of them are in the
    cache. `left` is how many tokens its message may still have.
    """

    dialogue: D
    ids: list[int] = field(default_factory=list)
    kept: int = 0
    left: int = 0
    slot: int | None = None
    closed: bool = False

    @property
    def pending(self) -> int:
        """Tokens that are not in the cache."""
        return len(self.ids) - self.kept


@dataclass(frozen=True, slots=True)
class Forward(Generic[D]):
    """The next forward: `rows` are in the slots from `first` on, in order.

    Before it, the pairs of slots in `moves` are exchanged, one after the other. Row i gives the
    model its `counts[i]` next tokens. `sampling` are the numbers of the rows of which a token is
    sampled then: those that have nothing pending any more.
    """

    rows: Sequence[Row[D]]
    first: int
    counts: Sequence[int]
    moves: Sequence[tuple[int, int]]
    decodes: bool
    sampling: Sequence[int]


class Continuous(Generic[D]):
    """The slots and the queue.

    `slots` bounds how many dialogues are in the cache, `chunk` how many tokens of one row a forward
    prefills, and `most` how many tokens, padding included. With `keeps` False there is no cache:
    every forward gives the model all of a row.
    """

    def __init__(
        self, slots: int, *, chunk: int = 512, most: int = 8192, keeps: bool = True
    ) -> None:
        self._slots: list[Row[D] | None] = []
        self._bound = slots
        self._chunk = chunk
        self._most = most
        self._keeps = keeps
        self._decoding = 0
        self._active = 0
        self._waiting: deque[Row[D]] = deque()
        self._idle: dict[Row[D], None] = {}
        self._closing: list[Row[D]] = []
        self._moves: list[tuple[int, int]] = []
        self._patience = _PATIENCE

    def want(self, row: Row[D]) -> None:
        """A message is wanted of this row, which has something pending."""
        self._waiting.append(row)

    def close(self, row: Row[D]) -> None:
        """The row is over, at any time: nothing more is sampled of it."""
        row.closed = True
        if row.slot is None:
            if row in self._waiting:
                self._waiting.remove(row)
        elif row.slot >= self._active:
            self._free(row)
        else:
            self._closing.append(row)  # it leaves with the next plan

    def plan(self) -> Forward[D] | None:
        """The next forward; None while nothing is wanted."""
        self._drop_closed()
        self._admit()
        prefilling = self._active - self._decoding
        if prefilling and self._prefills(prefilling):
            self._patience = _PATIENCE
            return self._prefill()
        if self._decoding:
            self._patience -= 1
            rows = [self._row(i) for i in range(self._decoding)]
            counts = [row.pending for row in rows]
            return Forward(rows, 0, counts, self._moved(), True, range(len(rows)))
        return None

    def done(
        self, forward: Forward[D], tokens: Sequence[int], ends: frozenset[int]
    ) -> list[Row[D]]:
        """The forward was made, and `tokens` sampled of the rows in `forward.sampling`, in order.

        The rows whose message ended with it: at an end token or where nothing was left.
        """
        for row, count in zip(forward.rows, forward.counts, strict=True):
            row.kept = row.kept + count if self._keeps else 0
        ended: list[Row[D]] = []
        for number, token in zip(forward.sampling, tokens, strict=True):
            row = forward.rows[number]
            row.ids.append(token)
            row.left -= 1
            if row.left == 0 or token in ends:
                ended.append(row)
        if not forward.decodes:
            for number in forward.sampling:
                self._exchange(self._slot(forward.rows[number]), self._decoding)
                self._decoding += 1
        for row in ended:
            self._leave(row)
        return ended

    # --- what takes part ------------------------------------------------------------------------

    def _prefills(self, prefilling: int) -> bool:
        return (
            not self._decoding
            or self._patience <= 0
            or (self._patience < _PATIENCE and prefilling * _COMPANY >= self._decoding)
        )

    def _prefill(self) -> Forward[D]:
        """The row that came first, and those like it, in one rectangle."""
        first = self._decoding
        rows = [self._row(i) for i in range(first, self._active)]
        own = self._piece(rows[0])
        alike = [row for row in rows if self._alike(own, self._piece(row))]
        width = max(map(self._piece, alike))
        taken = alike[: max(1, self._most // width)]
        for place, row in enumerate(taken, first):
            self._exchange(self._slot(row), place)
        counts = [self._piece(row) for row in taken]
        last = [i for i, row in enumerate(taken) if counts[i] == row.pending]
        return Forward(taken, first, counts, self._moved(), False, last)

    def _piece(self, row: Row[D]) -> int:
        return min(row.pending, self._chunk) if self._keeps else row.pending

    @staticmethod
    def _alike(one: int, other: int) -> bool:
        return max(one, other) <= _UNLIKE * min(one, other)

    # --- slots ----------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Whoever waits takes part, as far as there are slots; who has one, first."""
        without: deque[Row[D]] = deque()
        for row in self._waiting:
            if row.slot is None:
                without.append(row)
            else:
                self._take_part(row)
        while without and self._give_slot(without[0]):
            self._take_part(without.popleft())
        self._waiting = without

    def _take_part(self, row: Row[D]) -> None:
        self._idle.pop(row, None)
        self._exchange(self._slot(row), self._active)
        self._active += 1

    def _give_slot(self, row: Row[D]) -> bool:
        size = len(self._slots)
        free = next((i for i in range(self._active, size) if self._slots[i] is None), size)
        if free == self._bound:
            oldest = next(iter(self._idle), None)
            if oldest is None:
                return False
            free = self._slot(oldest)
            self._free(oldest)
        elif free == size:
            self._slots.append(None)
        self._slots[free] = row
        row.slot = free
        return True

    def _leave(self, row: Row[D]) -> None:
        """A decoding row becomes idle."""
        self._exchange(self._slot(row), self._decoding - 1)
        self._decoding -= 1
        self._exchange(self._decoding, self._active - 1)
        self._active -= 1
        self._idle[row] = None
        if row.closed:
            self._free(row)

    def _drop_closed(self) -> None:
        for row in self._closing:
            if self._decoding <= self._slot(row) < self._active:
                self._exchange(self._slot(row), self._decoding)
                self._decoding += 1
            self._leave(row)
        self._closing.clear()

    def _free(self, row: Row[D]) -> None:
        self._slots[self._slot(row)] = None
        self._idle.pop(row, None)
        row.slot = None
        row.kept = 0

    def _exchange(self, one: int, other: int) -> None:
        if one == other:
            return
        slots = self._slots
        slots[one], slots[other] = slots[other], slots[one]
        for place in (one, other):
            row = slots[place]
            if row is not None:
                row.slot = place
        self._moves.append((one, other))

    def _moved(self) -> list[tuple[int, int]]:
        moves, self._moves = self._moves, []
        return moves

    def _row(self, slot: int) -> Row[D]:
        row = self._slots[slot]
        assert row is not None
        return row

    @staticmethod
    def _slot(row: Row[D]) -> int:
        assert row.slot is not None
        return row.slot
