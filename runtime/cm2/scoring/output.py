"""What a scoring run writes: files that are whole, or that the same run goes on with.

While it runs, what it writes goes to files whose names end in `.partial`, and how far they are
known to be good is in `OUT.partial.json`. A run that ends renames them; one that is interrupted
leaves them, and the same command, given again, goes on where that file says.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from cm2.formats.record import Reject
from cm2.scoring.places import (
    OutputFault,
    lock,
    partial_path,
    rejects_path,
    state_path,
    unnamed_disagreements,
)
from cm2.scoring.tally import Tally

SAVE_EVERY = 1.0
"""Seconds between two notes of how far the run is: noting it takes as long as scoring a little."""

Key = Mapping[str, str]
"""What makes two runs the same."""
OTHER = {"spec": "another spec", "dialogues": "other dialogues", "options": "other options"}
"""What a message says of a run whose key differs."""


def run_key(bundle: str, inputs: Sequence[Path], options: Any) -> Key:
    """The key of a run: the bundle's manifest, the inputs as they are, the options."""
    parts = {"spec": bundle, "dialogues": stamp(inputs), "options": repr(options)}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in parts.items()}


def stamp(inputs: Sequence[Path]) -> str:
    """What changes when an input does. Raises OSError."""
    return repr([(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in inputs])


class Partial:
    """A file that has its name once it is whole; until then `.partial` follows it."""

    def __init__(self, final: Path, size: int = 0) -> None:
        """Go on after the first `size` bytes of what is there, which no other run writes.

        Raises OutputFault where one does, and OSError.
        """
        self.final = final
        self.path = partial_path(final)
        self.file: BinaryIO = self.path.open("r+b" if self.path.exists() else "w+b")
        try:
            lock(self.file, self.path)
            self.cut(size)
        except BaseException:
            self.file.close()
            raise

    def cut(self, size: int) -> None:
        """Go on after the first `size` bytes. Raises OSError."""
        self.file.truncate(size)
        self.file.seek(size)

    def size(self) -> int:
        """How much is in the file, all of it for others to see."""
        self.file.flush()
        return self.file.tell()

    def first(self, count: int) -> list[bytes]:
        """The first lines."""
        self.file.flush()
        with self.path.open("rb") as file:
            return [line for line, _ in zip(file, range(count), strict=False)]

    def finish(self) -> None:
        self.file.close()
        self.path.replace(self.final)

    def discard(self) -> None:
        with suppress(OSError):  # what could not be written is not wanted
            self.file.close()
        self.path.unlink(missing_ok=True)


class Output:
    """The files of one run: rows, rejects, and disagreements where they are looked for.

    `done` pieces of the input are in them, which add up to `tally`; so far `saved` dialogues are
    where the same run finds them. `listed` is the file of disagreements, if one was named.
    """

    def __init__(
        self,
        out: Path,
        key: Key,
        *,
        agree: bool = False,
        disagreements: Path | None = None,
        restart: bool = False,
    ) -> None:
        """Raises OutputFault where the files of another run are in the way, and OSError.

        With `agree`, disagreements are kept; at the end they are in `disagreements`, if named.
        """
        self.out = out
        self.key = key
        self.state_path = state_path(out)
        self.done = 0
        self.tally = Tally()
        self.saved = 0
        self.listed = disagreements
        beside = disagreements or unnamed_disagreements(out)
        finals = [out, rejects_path(out), *([beside] if agree else [])]
        sizes = [0] * len(finals)
        if self.state_path.exists() and not restart:
            sizes = self._resume(finals)
        self._parts = [Partial(path, size) for path, size in zip(finals, sizes, strict=True)]
        self._rows, self._rejects = self._parts[:2]
        self._disagreements = self._parts[2] if agree else None
        self._noted = 0.0
        self._open = self._whole = True
        self._save()

    def _resume(self, finals: Sequence[Path]) -> list[int]:
        """Take up what the state file says; how much of each file is good."""
        left = f"`{partial_path(self.out)}`"
        help = "finish that run with its own command, or begin anew with --restart"
        try:
            state = json.loads(self.state_path.read_text(encoding="utf-8"))
            other = [OTHER[name] for name in self.key if state["key"][name] != self.key[name]]
            if other:
                message = f"{left} is of a run with {' and '.join(other)}"
                raise OutputFault(message, help)
            sizes = [int(size) for size in state["sizes"]]
            self.tally = Tally.from_json(state["tally"])
            self.done = int(state["done"])
            parts = zip(finals, sizes, strict=True)
            good = all(partial_path(path).stat().st_size >= size for path, size in parts)
        except (ValueError, KeyError, TypeError, OSError):
            good = False
        if not good:
            message = f"{left} was left by an interrupted run, and cannot be gone on with"
            raise OutputFault(message, "begin anew with --restart")
        return sizes

    def write(
        self,
        rows: bytes,
        rejects: Iterable[Reject],
        disagreements: Iterable[bytes],
        tally: Tally,
    ) -> None:
        """Write what came of the next piece. `disagreements` are lines."""
        self._whole = False
        self._rows.file.write(rows)
        self._rejects.file.writelines(reject_line(reject) for reject in rejects)
        if self._disagreements is not None:
            self._disagreements.file.writelines(disagreements)
        self.tally.add(tally)
        self.done += 1
        self._whole = True
        if time.monotonic() - self._noted > SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        state = {
            "key": self.key,
            "done": self.done,
            "sizes": [part.size() for part in self._parts],
            "tally": self.tally.to_json(),
        }
        fresh = self.state_path.with_name(self.state_path.name + ".new")
        fresh.write_text(json.dumps(state), encoding="utf-8")
        fresh.replace(self.state_path)
        self.saved = self.tally.dialogues
        self._noted = time.monotonic()

    def pause(self) -> None:
        """Leave the files so that the same run can go on with them. Raises OSError.

        What stopped in the middle of a piece is taken up where it was last known to be good.
        """
        if not self._open:
            return
        self._open = False
        try:
            if self._whole:
                self._save()
        finally:
            for part in self._parts:
                part.file.close()

    def discard(self) -> None:
        """Take the files away: there is nothing to keep."""
        self._open = False
        for part in self._parts:
            part.discard()
        self.state_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the files their names. Without a reject there is no file of rejects."""
        self._open = False
        if self._rejects.size():
            self._rejects.finish()
        else:
            self._rejects.discard()
            self._rejects.final.unlink(missing_ok=True)
        if self._disagreements is not None:
            if self.listed is not None:
                self._disagreements.finish()
            else:
                self._disagreements.discard()
        self._rows.finish()
        self.state_path.unlink()

    def first_rows(self) -> BinaryIO:
        """The rows that an interrupted run left, to read."""
        return self._rows.path.open("rb")

    def first_disagreements(self, count: int) -> list[bytes]:
        return self._disagreements.first(count) if self._disagreements is not None else []


def reject_line(reject: Reject) -> bytes:
    """A reject as a line of JSON: file, line, path, reason, help."""
    record = {name: getattr(reject, name) for name in ("file", "line", "path", "reason", "help")}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
