"""Where the seconds of a run go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds by phase. A phase within another counts for itself alone."""

    def __init__(self) -> None:
        self._phases: dict[str, float] = {}
        self._since = time.monotonic()
        self._within: list[float] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens meanwhile."""
        before = time.monotonic()
        self._within.append(0.0)
        try:
            yield
        finally:
            whole = time.monotonic() - before
            own = whole - self._within.pop()
            self._phases[name] = self._phases.get(name, 0.0) + own
            if self._within:
                self._within[-1] += whole

    def read(self) -> tuple[float, dict[str, float]]:
        """The seconds in all, and those of the phases, since this was last called."""
        now = time.monotonic()
        seconds, phases = now - self._since, self._phases
        self._since, self._phases = now, {}
        return seconds, phases
