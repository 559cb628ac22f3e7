"""Several servers of one model: each lane has its own, and moves on while that one is down.

Prompts of a lane begin alike, so the server that had one of them has the beginning in its cache.
Rendezvous hashing gives every lane an order of all servers: when one is down, only its own lanes
move, each to the next in its order, and when it is back they return. Which server answers is no
part of an answer: the servers of one judge serve the same model.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FIRST_REST = 5.0
LONGEST_REST = 60.0


@dataclass(slots=True)
class _State:
    """When a server that was down may be tried again, and how long it rests the next time."""

    until: float = 0.0
    rest: float = FIRST_REST


class Servers:
    """Base URLs, and which of them are down. Owns no connection; `clock` tells seconds."""

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._states = {url: _State() for url in urls}
        self._clock = clock

    def of(self, lane: str) -> str:
        """The lane's server: the first in its order that is not down, or else the first."""
        order = sorted(self._states, key=lambda url: _draw(lane, url), reverse=True)
        return next((url for url in order if self._is_up(url)), order[0])

    def down(self, url: str) -> None:
        """A server could not be reached: it is left alone for a while, each time for longer.

        Of many requests that find out together only the first counts.
        """
        state = self._states[url]
        if self._is_up(url):
            state.until = self._clock() + state.rest
            state.rest = min(2 * state.rest, LONGEST_REST)

    def up(self, url: str) -> None:
        """A server answered."""
        self._states[url] = _State()

    def any_up(self) -> bool:
        return any(map(self._is_up, self._states))

    def _is_up(self, url: str) -> bool:
        return self._states[url].until <= self._clock()


def _draw(lane: str, url: str) -> bytes:
    return hashlib.sha256(f"{lane}\0{url}".encode()).digest()
