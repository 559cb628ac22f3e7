"""What a scoring run writes: files that are whole, or that the same run goes on with.

While it runs, rows and rejects go to files whose names end in `.partial`, and how far both are
known to be good is in `OUT.partial.json`. A run that ends renames them; one that is interrupted
leaves them, and the same command goes on where that file says.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from cm2.formats.record import Reject
from cm2.scoring.tally import Tally

SAVE_EVERY = 1.0
"""Seconds between two notes of how far the run is: noting it takes as long as scoring a little."""


class OutputFault(Exception):  # noqa: N818 - a fault of what is there
    """Files that are in the way of a run. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"error: {message}\n  = help: {help}")
        self.message = message
        self.help = help


def run_key(bundle: str, inputs: Sequence[Path], options: Any) -> str:
    """What makes two runs the same: the bundle's hash, the inputs as they are, the options."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in inputs]
    return hashlib.sha256(repr((bundle, files, options)).encode()).hexdigest()


class Output:
    """The files of one run. `done` pieces of the input are in them, which add up to `tally`."""

    def __init__(self, out: Path, key: str, restart: bool = False) -> None:
        """Raises OutputFault where the files of another run are in the way, and OSError."""
        for path in (out, rejects_path(out)):
            refuse_to_replace(path)
        self.out = out
        self.key = key
        self.rows_path = out.with_name(out.name + ".partial")
        self.rejects_path = rejects_path(out).with_name(rejects_path(out).name + ".partial")
        self.state_path = out.with_name(out.name + ".partial.json")
        self.done = 0
        self.tally = Tally()
        self._saved = 0.0
        sizes = (0, 0)
        if self.state_path.exists() and not restart:
            sizes = self._resume()
        self._rows = _open_at(self.rows_path, sizes[0])
        self._rejects = _open_at(self.rejects_path, sizes[1])
        self._save()

    def _resume(self) -> tuple[int, int]:
        """Take up what the state file says; how much of rows and rejects is good."""
        try:
            state = json.loads(self.state_path.read_text(encoding="utf-8"))
            sizes = (int(state["rows"]), int(state["rejects"]))
            self.tally = Tally.from_json(state["tally"])
            self.done = int(state["done"])
            same = state["key"] == self.key
            good = all(
                path.stat().st_size >= size
                for path, size in zip((self.rows_path, self.rejects_path), sizes, strict=True)
            )
        except (ValueError, KeyError, TypeError, OSError):
            same = good = False
        if not (same and good):
            message = f"`{self.rows_path}` is left over from another run"
            help = "finish that run with its own command, or begin anew with --restart"
            raise OutputFault(message, help)
        return sizes

    def write(self, rows: bytes, rejects: Sequence[Reject], tally: Tally) -> None:
        """Write what came of the next piece."""
        self._rows.write(rows)
        self._rejects.writelines(reject_line(reject) for reject in rejects)
        self.tally.add(tally)
        self.done += 1
        if time.monotonic() - self._saved > SAVE_EVERY:
            self._save()

    def _save(self) -> None:
        self._rows.flush()
        self._rejects.flush()
        state = {
            "key": self.key,
            "done": self.done,
            "rows": self._rows.tell(),
            "rejects": self._rejects.tell(),
            "tally": self.tally.to_json(),
        }
        fresh = self.state_path.with_name(self.state_path.name + ".new")
        fresh.write_text(json.dumps(state), encoding="utf-8")
        fresh.replace(self.state_path)
        self._saved = time.monotonic()

    def pause(self) -> None:
        """Leave the files so that the same run can go on with them."""
        self._save()
        self._rows.close()
        self._rejects.close()

    def discard(self) -> None:
        """Take the files away: there is nothing to keep."""
        self._rows.close()
        self._rejects.close()
        for path in (self.rows_path, self.rejects_path, self.state_path):
            path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the files their names. Without a reject there is no file of rejects."""
        self._rows.close()
        some = self._rejects.tell() > 0
        self._rejects.close()
        if some:
            self.rejects_path.replace(rejects_path(self.out))
        else:
            self.rejects_path.unlink()
            rejects_path(self.out).unlink(missing_ok=True)
        self.rows_path.replace(self.out)
        self.state_path.unlink()


def refuse_to_replace(path: Path) -> None:
    """Raises OutputFault where something else than a file is: a folder, or a device."""
    if path.exists() and not path.is_file():
        raise OutputFault(f"`{path}` is there and is no file", "name another file with -o")


def rejects_path(out: Path) -> Path:
    """Where the rejects of a run go: `scores.rejects.jsonl` beside `scores.jsonl`."""
    return out.with_name(f"{out.stem}.rejects.jsonl")


def reject_line(reject: Reject) -> bytes:
    """A reject as a line of JSON: file, line, path, reason, help."""
    record = {name: getattr(reject, name) for name in ("file", "line", "path", "reason", "help")}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _open_at(path: Path, size: int) -> BinaryIO:
    """A file to append to, cut off after its first `size` bytes."""
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(size)
    file.seek(size)
    return file
