"""Marks: the points that a run can go on from, whatever ends it.

A mark is a folder with a file `cm2.json`, which is written last, when all else is on the disk: a
folder without it is the rest of one that was being written, and counts for nothing. It says how
long the logs were, so that what came later is cut off and happens again, and holds the state of
every part of the run that remembers something. Weights, optimizer, schedule and random states are
TRL's, beside it. The mark before is removed when the new one is whole.

There is one before the first step (`checkpoint-0`, when the first evaluation is done), one for each
checkpoint, and one when training is over (`trained`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cm2.train.folder import CHECKPOINTS, RunFolder, persist, remove

MARK = "cm2.json"
TRAINED = "trained"
_NUMBERED = "checkpoint-"


class Part(Protocol):
    """Something of a run that remembers: what it gives is JSON, and makes it what it was."""

    def state(self) -> Any: ...

    def restore(self, state: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Mark:
    """`step` steps of TRL's were done. `trained` is whether there are no more to come."""

    path: Path
    step: int
    trained: bool
    logs: Mapping[str, int]
    parts: Mapping[str, Any]

    @property
    def weights(self) -> str | None:
        """What TRL resumes from; None where no step was taken yet."""
        return str(self.path) if self.step and not self.trained else None


class Checkpoints:
    """The marks of a run folder. `parts` are what remembers something, by name."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.path = folder.path / CHECKPOINTS
        self.parts: dict[str, Part] = {}

    def newest(self) -> Mark | None:
        """The last mark of an interrupted run."""
        marks = [_read(path) for path in self.path.glob(f"*/{MARK}")]
        return max(marks, key=lambda mark: (mark.trained, mark.step), default=None)

    def go_back(self, mark: Mark | None) -> None:
        """Make the folder what it was at a mark, or before all of them.

        Raises RunError where the logs have lost lines since.
        """
        if not self._folder.writes:
            return
        self._folder.cut(mark.logs if mark is not None else {})
        self._remove_others(mark.path if mark is not None else None)

    def restore(self, mark: Mark | None) -> None:
        """Give every part the state that it had at a mark."""
        for name, part in self.parts.items():
            if mark is not None and name in mark.parts:
                part.restore(mark.parts[name])

    def seal(self, name: str, step: int, write: Callable[[Path], Any] | None = None) -> None:
        """Make the folder `name` a mark; `write` fills it first. All other marks go."""
        path = self.path / name
        if not self._folder.writes:
            return
        path.mkdir(parents=True, exist_ok=True)
        if write is not None:
            write(path)
        persist(path)
        said = {
            "step": step,
            "trained": name == TRAINED,
            "logs": self._folder.logs(),
            "parts": {part: self.parts[part].state() for part in self.parts},
        }
        beside = path / f".{MARK}.partial"
        beside.write_text(json.dumps(said, ensure_ascii=False, indent=2) + "\n", "utf-8")
        persist(beside)
        beside.replace(path / MARK)
        self._remove_others(path)

    def _remove_others(self, kept: Path | None) -> None:
        for path in self.path.glob("*"):
            if path != kept and path.is_dir():
                (path / MARK).unlink(missing_ok=True)  # a mark that is half removed is none
                remove(path)


def numbered(step: int) -> str:
    """The name of a checkpoint's folder, as transformers gives it."""
    return f"{_NUMBERED}{step}"


def _read(mark: Path) -> Mark:
    said = json.loads(mark.read_text("utf-8"))
    return Mark(mark.parent, said["step"], said["trained"], said["logs"], said["parts"])
