"""Where the seconds of a run go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds by phase since it was last read, and since then in all."""

    def __init__(self) -> None:
        self._phases: dict[str, float] = {}
        self._since = time.monotonic()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens meanwhile."""
        before = time.monotonic()
        try:
            yield
        finally:
            self._phases[name] = self._phases.get(name, 0.0) + time.monotonic() - before

    def read(self) -> tuple[float, dict[str, float]]:
        """The seconds in all, and those of the phases, since this was last called."""
        now = time.monotonic()
        seconds, phases = now - self._since, self._phases
        self._since, self._phases = now, {}
        return seconds, phases
