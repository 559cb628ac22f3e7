"""The input of a scoring run in pieces: blocks of chat lines, and batches of other dialogues.

The same files give the same pieces in the same order, so a run can be taken up again at a piece.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from cm2.formats.record import Record, Reject
from cm2.formats.streaming import LONGEST
from cm2.importers.source import BROKEN, not_gzip

BLOCK = 1 << 22
"""Bytes of chat lines that are scored together."""

BATCH = 64
"""Dialogues of other formats that are scored together."""

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a chat file. `first` is the number of the first, `size` their bytes there.

    `offset` is where they begin in a file that is not packed. Its lines need not travel to another
    process: `data` may be left empty, and they are read where they are scored.
    """

    file: str
    first: int
    data: bytes
    size: int
    offset: int | None = None

    def read(self) -> bytes:
        """The lines. Raises OSError."""
        if self.data or self.offset is None:
            return self.data
        with Path(self.file).open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


@dataclass(frozen=True, slots=True)
class Batch:
    """Dialogues that a format's reader has read, and those that it could not."""

    file: str
    records: Sequence[Record | Reject]
    size: int = 0


Unit = Lines | Batch


def blocks(path: Path, with_data: bool = True) -> Iterator[Unit]:
    """A chat file in blocks of whole lines; a line that is too long is a Reject of its own.

    Without `with_data` the lines of a file that is not packed stay in it, and are read where they
    are scored. Raises OSError. A gzip file that breaks off ends in a Reject.
    """
    return _packed(path) if path.suffix == ".gz" else _plain(path, with_data)


def _plain(path: Path, with_data: bool) -> Iterator[Unit]:
    file, number, offset = str(path), 1, 0
    buffer = bytearray(BLOCK)
    with path.open("rb", buffering=0) as stream:
        while count := _fill(stream, buffer, offset):
            at_end = count < len(buffer)
            cut = count if at_end else buffer.rfind(b"\n", 0, count) + 1
            if not cut and count <= LONGEST:
                buffer = bytearray(min(2 * count, LONGEST + 1))
                continue
            if not cut:
                yield _too_long(file, number)
                offset, number, buffer = _next_line(stream, offset), number + 1, bytearray(BLOCK)
                continue
            begin = len(BOM) if number == 1 and buffer.startswith(BOM) else 0
            data = bytes(memoryview(buffer)[begin:cut]) if with_data else b""
            yield Lines(file, number, data, cut - begin, offset + begin)
            number += buffer.count(b"\n", 0, cut)
            offset += cut
            if len(buffer) > BLOCK:
                buffer = bytearray(BLOCK)


def _fill(stream: RawIOBase, buffer: bytearray, offset: int) -> int:
    """Read from an offset until the buffer is full or the file ends; the bytes read."""
    stream.seek(offset)
    view, count = memoryview(buffer), 0
    while count < len(buffer) and (read := stream.readinto(view[count:])):
        count += read
    return count


def _next_line(stream: RawIOBase, offset: int) -> int:
    """Where the line after the one at an offset begins; the file's end where there is none."""
    stream.seek(offset)
    while piece := stream.read(BLOCK):
        place = piece.find(b"\n")
        if place >= 0:
            return offset + place + 1
        offset += len(piece)
    return offset


def _packed(path: Path) -> Iterator[Unit]:
    file, number, rest = str(path), 1, b""
    with cast(BinaryIO, gzip.open(path)) as stream:
        while True:
            try:
                read = stream.read(BLOCK)
            except BROKEN as error:
                help = "fetch the file again"
                yield Batch(file, [Reject(file, number, "", not_gzip(error), help)])
                return
            data = rest + read
            cut = data.rfind(b"\n") + 1 if read else len(data)
            if read and not cut and len(data) > LONGEST:
                yield _too_long(file, number)
                number += 1
                while read and b"\n" not in read:
                    read = stream.read(BLOCK)
                rest = read.partition(b"\n")[2]
                continue
            whole, rest = data[:cut], data[cut:]
            if whole:
                text = whole.removeprefix(BOM) if number == 1 else whole
                yield Lines(file, number, text, len(text))
                number += whole.count(b"\n")
            if not read:
                return


def _too_long(file: str, number: int) -> Batch:
    reason = f"longer than {LONGEST >> 20} MiB"
    return Batch(file, [Reject(file, number, "", reason, "write one dialogue a line")])


def batches(path: Path, records: Iterable[Record | Reject]) -> Iterator[Batch]:
    """What a format's reader yields, in batches."""
    left = iter(records)
    while batch := list(islice(left, BATCH)):
        yield Batch(str(path), batch)
