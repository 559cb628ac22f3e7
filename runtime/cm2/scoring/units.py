"""The input of a scoring run in pieces: blocks of chat lines, and batches of other dialogues.

The same files give the same pieces in the same order, so a run can be taken up again at a piece.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from cm2.formats.origin import Accept
from cm2.formats.record import Record, Reject
from cm2.formats.source import BROKEN, SourceFault, not_gzip
from cm2.formats.streaming import LONGEST

BLOCK = 1 << 22
"""Bytes of chat lines that are scored together."""

BATCH = 64
"""Dialogues of other formats that are scored together."""

CHAT = ("cm2", "openai")
"""The formats whose files have a dialogue a line."""

RUNS = ("tau2", "tau1")
"""The formats whose files hold the tasks that they were made with."""

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


def pieces(
    inputs: Iterable[Path], form: str, with_data: bool = True, accept: Accept | None = None
) -> Iterator[Unit]:
    """All files of a format, in pieces. A file that cannot be read as a whole is a Reject.

    So is one whose origin is said in it (RUNS) and not accepted.

    Raises OSError.
    """
    for path in inputs:
        if form in CHAT and not _is_list(path):
            yield from blocks(path, with_data)
            continue
        module = import_module(f"cm2.formats.{'openai' if form in CHAT else form}")
        try:
            found = module.read(path, accept) if form in RUNS else module.read(path)
            yield from batches(path, found)
        except SourceFault as fault:
            where = Reject(fault.file, fault.line, fault.path, fault.message, fault.help, True)
            yield Batch(str(path), [where])


def parted(units: Iterable[Unit], most: int) -> Iterator[Unit]:
    """The same in pieces of at most so many dialogues, for what takes long to score each."""
    for unit in units:
        if isinstance(unit, Batch):
            size = unit.size
            for start in range(0, max(len(unit.records), 1), most):
                yield Batch(unit.file, unit.records[start : start + most], size)
                size = 0
            continue
        lines = _lines(unit.read())
        offset = unit.offset
        for start in range(0, len(lines), most):
            data = b"".join(lines[start : start + most])
            yield Lines(unit.file, unit.first + start, data, len(data), offset)
            offset = None if offset is None else offset + len(data)


def _lines(data: bytes) -> list[bytes]:
    """The lines, ends included; `splitlines` would end them at other characters, too."""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _is_list(path: Path) -> bool:
    """Whether a chat file is one JSON list, not a dialogue a line."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return bool(file.read(64).removeprefix(BOM).lstrip().startswith(b"["))
    except BROKEN:
        return False


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
    reader = _Packed(path)
    try:
        yield from reader.units()
    except BROKEN as error:
        reason, help = not_gzip(error), "fetch the file again"
        yield Batch(str(path), [Reject(str(path), reader.number, "", reason, help)])


class _Packed:
    """A packed chat file while it is read; `number` is that of the line that comes next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 1

    def units(self) -> Iterator[Unit]:
        """Its pieces. Raises BROKEN."""
        file, rest = str(self.path), b""
        with cast(BinaryIO, gzip.open(self.path)) as stream:
            while True:
                read = stream.read(BLOCK)
                data = rest + read
                cut = data.rfind(b"\n") + 1 if read else len(data)
                if read and not cut and len(data) > LONGEST:
                    yield _too_long(file, self.number)
                    self.number += 1
                    while read and b"\n" not in read:
                        read = stream.read(BLOCK)
                    rest = read.partition(b"\n")[2]
                    continue
                whole, rest = data[:cut], data[cut:]
                if whole:
                    text = whole.removeprefix(BOM) if self.number == 1 else whole
                    yield Lines(file, self.number, text, len(text))
                    self.number += whole.count(b"\n")
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
