"""Where a run writes, and what it must not write over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


class OutputFault(Exception):  # noqa: N818 - a fault of what is there
    """Files that are in the way of a run. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"error: {message}\n  = help: {help}")
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Reads:
    """What a run reads: dialogues, and a spec with its files, or all that is in a bundle's folder.

    `settings` are other files of the run's own, such as that of `--world`.
    `spec_files` are those of a spec that is a file, `bundle` is the folder of one that is none.
    `judge` are the files and folders that a judge reads or keeps; some may not be there yet.
    """

    dialogues: Sequence[Path]
    spec_files: Sequence[Path] = ()
    bundle: Path | None = None
    judge: Sequence[Path] = ()
    settings: Sequence[Path] = ()


def lock(file: BinaryIO, path: Path) -> None:
    """Keep a file that was just opened at `path` from other runs until it is closed.

    Where there are no such locks (Windows, some network file systems) nobody is kept from it.
    Raises OutputFault where another run has it, or had it and gave it its name meanwhile.
    """
    try:
        import fcntl
    except ImportError:
        return
    taken = OutputFault(f"another run is writing `{path}`", "wait for it, or name another file")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise taken from None
    except OSError:
        return
    if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
        raise taken


def rejects_path(out: Path) -> Path:
    """Where the rejects of a run go: `scores.rejects.jsonl` beside `scores.jsonl`."""
    return out.with_name(f"{out.stem}.rejects.jsonl")


def unnamed_disagreements(out: Path) -> Path:
    """Where the disagreements of a run are kept while it runs, if no file was named for them."""
    return out.with_name(f"{out.stem}.disagreements.jsonl")


def partial_path(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(path.name + ".partial")


def state_path(out: Path) -> Path:
    """Where it is noted how far a run is."""
    return out.with_name(out.name + ".partial.json")


def refuse_to_lose(reads: Reads, out: Path | None, disagreements: Path | None) -> None:
    """Raises OutputFault where a file to write is one that is read, or could not be written.

    Raises OSError where that cannot be known.
    """
    for path in reads.dialogues:
        if not path.is_file():
            help = "write the dialogues to a file, and name that"
            raise OutputFault(f"`{path}` is a pipe or a device", help)
    others = () if out is None else (out.resolve(), rejects_path(out).resolve())
    if disagreements is not None and disagreements.resolve() in others:
        raise OutputFault("-o and --disagreements would write the same file", "name another")
    for written in (out, disagreements):
        if written is not None and not written.parent.is_dir():
            help = f"make it, and write `{written.name}` there"
            raise OutputFault(f"there is no folder `{written.parent}`", help)
    for path in _written(out, disagreements):
        _refuse(path, reads)


def _written(out: Path | None, disagreements: Path | None) -> Iterator[Path]:
    """Every file that a run may write, also those that it takes away at its end."""
    if out is not None:
        yield out
        yield rejects_path(out)
        yield from map(partial_path, (out, rejects_path(out), unnamed_disagreements(out)))
        yield state_path(out)
    if disagreements is not None:
        yield disagreements
        yield partial_path(disagreements)


def _refuse(path: Path, reads: Reads) -> None:
    help = "name another file to write"
    if reads.bundle is not None and reads.bundle.resolve() in path.resolve().parents:
        message = f"`{path}` would be written into the bundle `{reads.bundle}`"
        raise OutputFault(message, "name a file outside of it")
    refuse_of_judge(path, reads.judge)
    if not path.exists():
        return
    if not path.is_file():
        raise OutputFault(f"`{path}` is there and is no file", "name another file")
    if _is_one_of(path, reads.dialogues):
        raise OutputFault(f"`{path}` is a file of dialogues", help)
    if _is_one_of(path, reads.settings):
        raise OutputFault(f"`{path}` is a file of settings", help)
    if _is_one_of(path, reads.spec_files):
        raise OutputFault(f"`{path}` is a file of the spec", help)


def refuse_of_judge(path: Path, judge: Sequence[Path]) -> None:
    """Raises OutputFault for a path that is of the judge, or lies in a folder that is."""
    whole = path.resolve()
    for own in judge:
        if own.is_dir() and own.resolve() in whole.parents:
            message = f"`{path}` would be written into the judge's folder `{own}`"
            raise OutputFault(message, "name a file outside of it")
        same = path.exists() and own.exists() and path.samefile(own)
        if same or own.resolve() == whole:
            raise OutputFault(f"`{path}` is a file of the judge", "name another file to write")


def _is_one_of(path: Path, others: Sequence[Path]) -> bool:
    return any(other.exists() and path.samefile(other) for other in others)
