"""A run folder: what a run was told, what happened in it, and what came out.

Whole files are written beside and renamed. The two logs grow by whole lines; after a crash, what
lies after the last checkpoint is dropped and played again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

CONFIG = "config.json"
SUMMARY = "summary.json"
METRICS = "metrics.jsonl"
ROLLOUTS = "rollouts.jsonl"
CHECKPOINTS = "checkpoints"


class RunError(Exception):
    """A run that cannot start or go on; the message says why and what to do."""


class RunFolder:
    """The folder of one run. `resumed` is whether it held an unfinished run of the same config."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        """Raises RunError where the folder holds something else, or a run that is finished."""
        self.path = path
        self.resumed = False
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            self._check_same(config)
            self.resumed = True
        path.mkdir(parents=True, exist_ok=True)
        if not self.resumed:
            self.write_json(CONFIG, config)

    def _check_same(self, config: dict[str, Any]) -> None:
        here = f"`{self.path}` exists and is not empty"
        if not (self.path / CONFIG).is_file():
            raise RunError(f"{here}, and is no run folder; choose another --out")
        if (self.path / SUMMARY).exists():
            raise RunError(f"{here}: it holds a finished run; choose another --out")
        if json.loads((self.path / CONFIG).read_text("utf-8")) != json.loads(json.dumps(config)):
            raise RunError(
                f"{here}: it holds an unfinished run with other options or another spec; "
                "give the same ones to resume it, or choose another --out"
            )

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file, whole or not at all."""
        self._write_text(name, json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def write_folder(self, name: str, write: Callable[[Path], Any]) -> None:
        """Write a folder, whole or not at all; `write` gets the path to fill."""
        self._replace(name, write)

    def _write_text(self, name: str, text: str) -> None:
        self._replace(name, lambda path: path.write_text(text, "utf-8"))

    def _replace(self, name: str, write: Callable[[Path], Any]) -> None:
        beside, target = self.path / f".{name}.partial", self.path / name
        _remove(beside)
        write(beside)
        if target.is_dir():  # a folder cannot be replaced in one go
            _remove(target)
        beside.replace(target)

    def append(self, name: str, records: Iterable[dict[str, Any]]) -> None:
        """Add lines to a log."""
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        with (self.path / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def drop_after(self, step: int) -> None:
        """Take back what is logged of steps after `step` and of the last evaluation."""
        for name in (METRICS, ROLLOUTS):
            log = self.path / name
            if log.exists():
                # Not splitlines: a dialogue may hold other characters that end a line for it.
                *lines, _cut_short = log.read_text("utf-8").split("\n")
                kept = [line + "\n" for line in lines if _happened(line, step)]
                self._write_text(name, "".join(kept))

    def lines(self, name: str) -> list[Any]:
        """The records of a log; none where there is no such log."""
        path = self.path / name
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]

    def read_json(self, name: str) -> Any | None:
        """The value of a JSON file, None where there is no such file."""
        path = self.path / name
        return json.loads(path.read_text("utf-8")) if path.exists() else None


def _happened(line: str, step: int) -> bool:
    entry = json.loads(line)
    return bool(entry["step"] <= step and entry.get("phase") != "after")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
