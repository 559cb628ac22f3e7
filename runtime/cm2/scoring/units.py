"""The input of a scoring run in pieces: blocks of chat lines, and batches of other dialogues.

The same files give the same pieces in the same order, so a run can be taken up again at a piece.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from cm2.formats.record import Record, Reject
from cm2.formats.streaming import LONGEST

BLOCK = 1 << 20
"""Bytes of chat lines that are scored together."""

BATCH = 64
"""Dialogues of other formats that are scored together."""

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a chat file. `first` is the number of the first, `size` their bytes there."""

    file: str
    first: int
    data: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Dialogues that a format's reader has read, and those that it could not."""

    file: str
    records: Sequence[Record | Reject]
    size: int = 0


Unit = Lines | Batch


def blocks(path: Path) -> Iterator[Lines | Batch]:
    """A chat file in blocks of whole lines; a line that is too long is a Reject of its own.

    Raises OSError. A gzip file that breaks off ends in a Reject.
    """
    file, number = str(path), 1
    with _open(path) as stream:
        rest = b""
        while True:
            try:
                read = stream.read(BLOCK)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                reason = f"not a whole gzip file: {str(error).lower().rstrip('.')}"
                line = number + rest.count(b"\n")
                yield Batch(file, [Reject(file, line, "", reason, "fetch the file again")])
                return
            data = rest + read
            cut = data.rfind(b"\n") + 1 if read else len(data)
            if read and not cut and len(data) > LONGEST:
                reason = f"longer than {LONGEST >> 20} MiB"
                yield Batch(file, [Reject(file, number, "", reason, "write one dialogue a line")])
                rest = _after_line(stream)
                number += 1
                continue
            whole, rest = data[:cut], data[cut:]
            if whole:
                text = whole.removeprefix(BOM) if number == 1 else whole
                yield Lines(file, number, text, len(read))
                number += whole.count(b"\n")
            if not read:
                return


def _after_line(stream: BinaryIO) -> bytes:
    """Read to the end of a line that is left out; what was read beyond it."""
    while piece := stream.read(BLOCK):
        _, found, beyond = piece.partition(b"\n")
        if found:
            return beyond
    return b""


def batches(path: Path, records: Iterable[Record | Reject]) -> Iterator[Batch]:
    """What a format's reader yields, in batches."""
    left = iter(records)
    while batch := list(islice(left, BATCH)):
        yield Batch(str(path), batch)


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
