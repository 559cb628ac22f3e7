"""A run folder: what a run was told, what happened in it, and what came out.

Whole files are written beside and renamed. The logs grow by whole lines; what lies behind the last
mark (checkpoint.py) after a crash is cut off and played again. One process writes, and no other run
may have the folder meanwhile.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cm2.train.ranks import Ranks

try:
    import fcntl
except ImportError:  # Windows: two runs on one folder are not noticed there
    fcntl = None  # type: ignore[assignment]

CONFIG = "config.json"
SUMMARY = "summary.json"
METRICS = "metrics.jsonl"
ROLLOUTS = "rollouts.jsonl"
CHECKPOINTS = "checkpoints"
COLD = "cold"
MERGED = "start"
MODEL = "model"
LOCK = ".lock"

_NO_ROOM = 1_000_000
"""Bytes: whoever fails to write with less than this left failed for want of room."""


_SHOWN = 3
"""Of the options in which two runs differ, how many are named."""


class RunError(Exception):
    """A run that cannot start or go on; the message says why and what to do."""


class RunFolder:
    """The folder of one run. `resumed` is whether it held an unfinished run of the same config.

    A run that ended before its first rollouts were written is nothing to keep: one of another
    config takes its folder.
    """

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        """Raises RunError where the folder cannot be written or holds something else: files of
        others, or a run that is finished, of another config, or in another process."""
        self.path = path
        self.resumed = False
        self.writes = True
        self._lock: BinaryIO | None = None
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            self._check_ours()
            self.resumed = (path / CONFIG).exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._take()
            if not self.resumed:
                self.write_json(CONFIG, config)
        except OSError as error:
            reason = (error.strerror or "it cannot be written").lower()
            raise RunError(
                f"`{path}` cannot be a run folder: {reason}; choose another --out"
            ) from error
        if self.resumed:
            self._check_same(config)

    @classmethod
    def shared(cls, path: Path, config: Mapping[str, Any], ranks: Ranks) -> RunFolder:
        """The folder of a run of several processes: the first has it, and writes for all; in the
        others, writing does nothing. Raises RunError, on all of them."""
        kept: list[RunFolder] = []

        def opened() -> tuple[Path, bool]:
            kept.append(cls(path, config))
            return path, kept[0].resumed

        # The path, too: one that is made of the time is another in each process.
        where, resumed = ranks.once(opened)
        if kept:
            return kept[0]
        folder = cls.__new__(cls)
        folder.path, folder.resumed, folder.writes, folder._lock = where, resumed, False, None
        return folder

    def close(self) -> None:
        """Let others have the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _check_ours(self) -> None:
        here = f"`{self.path}` exists and is not empty"
        if not self.path.is_dir() or not any(
            (self.path / name).is_file() for name in (CONFIG, LOCK)
        ):
            raise RunError(f"{here}, and is no run folder; choose another --out")
        if (self.path / SUMMARY).exists():
            raise RunError(f"{here}: it holds a finished run; choose another --out")

    def _check_same(self, config: Mapping[str, Any]) -> None:
        theirs, ours = _leaves(self.read_json(CONFIG)), _leaves(json.loads(json.dumps(config)))
        differ = [key for key in {**ours, **theirs} if theirs.get(key) != ours.get(key)]
        if differ and not (self.path / ROLLOUTS).exists():
            self._begin_anew(config)
        elif differ:
            shown = [f"`{key}` was {json.dumps(theirs.get(key))}" for key in differ[:_SHOWN]]
            more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
            raise RunError(
                f"`{self.path}` exists and is not empty: it holds an unfinished run with other "
                f"options or another spec ({', '.join(shown)}{more}); "
                "give the same ones to resume it, or choose another --out"
            )

    def _begin_anew(self, config: Mapping[str, Any]) -> None:
        for name in (COLD, MERGED):  # another run's start
            start, aside = self.path / name, self.path / f".{name}.partial"
            if start.exists():  # half removed, it must not look like one
                remove(aside)
                start.replace(aside)
                remove(aside)
        self.write_json(CONFIG, config)
        self.resumed = False

    def _take(self) -> None:
        """The lock goes with the process, however it ends, and with no other: it is a lock of
        records, which children do not inherit, so that one that outlives its parent keeps
        nobody out."""
        if fcntl is None:
            return
        lock = (self.path / LOCK).open("a+b")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            who = lock.read().decode("utf-8", "replace").strip() or "unknown"
            lock.close()
            raise RunError(
                f"another run is at `{self.path}` (process {who}); "
                "wait for its end, or choose another --out"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
        self._lock = lock

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file, whole or not at all."""
        text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        self._replace(name, lambda path: path.write_text(text, "utf-8"))

    def write_folder(self, name: str, write: Callable[[Path], Any]) -> None:
        """Write a folder, whole or not at all; `write` gets the path to fill."""
        self._replace(name, write)

    def _replace(self, name: str, write: Callable[[Path], Any]) -> None:
        if not self.writes:
            return
        beside, target = self.path / f".{name}.partial", self.path / name
        remove(beside)
        write(beside)
        persist(beside)
        if target.is_dir():  # a folder cannot be replaced in one go
            remove(target)
        beside.replace(target)

    def append(self, name: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Add lines to a log."""
        if not self.writes:
            return
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def logs(self) -> dict[str, int]:
        """How long each log is now, in bytes; what is counted is on the disk."""
        found = sorted(self.path.glob("*.jsonl"))
        for log in found:
            persist(log)
        return {log.name: log.stat().st_size for log in found}

    def cut(self, lengths: Mapping[str, int]) -> None:
        """Take back what the logs have beyond these lengths; a log without one goes altogether.

        Raises RunError where a log has lost lines that it had.
        """
        if not self.writes:
            return
        for name, length in lengths.items():
            log = self.path / name
            here = log.stat().st_size if log.exists() else 0
            if here < length:
                raise RunError(
                    f"`{log}` has {here} bytes, and had {length} at the last checkpoint; "
                    "put it back as it was, or choose another --out"
                )
        for log in self.path.glob("*.jsonl"):
            if log.name in lengths:
                os.truncate(log, lengths[log.name])
            else:
                remove(log)

    def lines(self, name: str) -> list[Any]:
        """The records of a log; none where there is no such log."""
        path = self.path / name
        if not path.exists():
            return []
        # Not splitlines: a dialogue may hold other characters that end a line for it.
        return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]

    def read_json(self, name: str) -> Any | None:
        """The value of a JSON file, None where there is no such file."""
        path = self.path / name
        return json.loads(path.read_text("utf-8")) if path.exists() else None


def _leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """The values of a tree of tables by their keys, such as `credit.level`; a file's is `sources`
    and its name."""
    if not isinstance(tree, Mapping) or not tree:
        return {path: tree}
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _leaves(value, f"{path}.{key}" if path else key)
    return found


@contextmanager
def disk_full(path: Path) -> Iterator[None]:
    """Raises RunError for whatever is raised because the disk that holds a folder has no room.

    Libraries that write weights say so in errors of their own; then the disk is looked at.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            full = True
        else:
            writing = isinstance(error, (OSError, RuntimeError)) or "afetensor" in repr(type(error))
            full = writing and shutil.disk_usage(path).free < _NO_ROOM
        if not full:
            raise
        raise RunError(
            f"there is no room on the disk of `{path}`; "
            "make some, and give the same command with this --out to go on"
        ) from error


def persist(path: Path) -> None:
    """See that a file, or all files of a folder, are on the disk and not in memory alone."""
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        if one.is_file():
            with one.open("rb") as file:
                os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file or a folder; none is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
