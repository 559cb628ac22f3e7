"""The file of a run of rollouts: whole lines in a stable order, and what is there is kept.

Rollouts end in any order; a line is written as soon as those before it are. While a run goes on
they are in `FILE.partial`, and what makes two runs the same in `FILE.partial.json`: the same
command goes on after the lines that are there. At the end the file has its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from cm2.scoring.output import Partial
from cm2.scoring.places import OutputFault, partial_path, state_path

Key = Mapping[str, str]
"""What makes two runs the same: a hash of each part, by what a message calls it."""


def key_of(parts: Mapping[str, Any]) -> Key:
    """The key of a run, of parts that `repr` tells apart."""
    return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in parts.items()}


class Rows:
    """Rows that come in any order, and are written in that of their numbers."""

    def __init__(self, file: BinaryIO, done: int = 0) -> None:
        """`done` rows are in the file already."""
        self.done = done
        self._file = file
        self._waiting: dict[int, bytes] = {}

    def take(self, number: int, row: Mapping[str, Any]) -> None:
        """Keep a row; write it when all before it are. Raises OSError."""
        self._waiting[number] = line(row)
        while self.done in self._waiting:
            self._file.write(self._waiting.pop(self.done))
            self.done += 1
        self._file.flush()


class RolloutFile:
    """The file of a run, with the rows that are in it."""

    def __init__(self, path: Path, key: Key, *, restart: bool = False) -> None:
        """Raises OutputFault where rows of another run are in the way, and OSError."""
        self.path = path
        self._state = state_path(path)
        partial = partial_path(path)
        there = partial.stat().st_size if partial.exists() else 0
        self._part = Partial(path, there)
        kept = done = 0
        if restart:
            self._state.unlink(missing_ok=True)
        elif there:
            self._check(key)
            whole = partial.read_bytes()
            kept = whole.rfind(b"\n") + 1  # what comes after was being written
            done = whole.count(b"\n", 0, kept)
        self._part.cut(kept)  # rows of another run are gone before this one's key is
        fresh = self._state.with_name(self._state.name + ".new")
        fresh.write_text(json.dumps(dict(key)), encoding="utf-8")
        fresh.replace(self._state)
        self.rows = Rows(self._part.file, done)

    def _check(self, key: Key) -> None:
        left = f"`{partial_path(self.path)}`"
        try:
            other = json.loads(self._state.read_text(encoding="utf-8"))
            differs = [name for name in key if other.get(name) != key[name]]
        except (OSError, ValueError, AttributeError):
            self._part.file.close()
            message = f"{left} was left by an interrupted run, and cannot be gone on with"
            raise OutputFault(message, "begin anew with --restart") from None
        if differs:
            self._part.file.close()
            message = f"{left} is of a run with another {' and another '.join(differs)}"
            help = "finish that run with its own command, or begin anew with --restart"
            raise OutputFault(message, help)

    def written(self) -> Iterator[dict[str, Any]]:
        """The rows that are in the file, one at a time."""
        self._part.size()
        with self._part.path.open("rb") as file:
            for text in file:
                yield json.loads(text)

    def pause(self) -> None:
        """Leave what is whole for the same run to go on with; no file where nothing is."""
        if not self.rows.done:
            self.discard()
            return
        with suppress(OSError):
            self._part.file.close()

    def discard(self) -> None:
        """Take the files away."""
        self._part.discard()
        self._state.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its name."""
        self._part.finish()
        self._state.unlink(missing_ok=True)


def line(row: Mapping[str, Any]) -> bytes:
    """A row as a line of the file."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
