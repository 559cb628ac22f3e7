"""Files in pieces: every byte is in one of them, whatever their size."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cm2.formats.record import Reject
from cm2.scoring import units
from cm2.scoring.units import BOM, Batch, Lines, Unit, blocks, parted, pieces

LINES = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=12)


@contextmanager
def sized(block: int, longest: int = 1 << 20) -> Iterator[None]:
    """Pieces of this many bytes, and lines of at most so many."""
    before = units.BLOCK, units.LONGEST
    units.BLOCK, units.LONGEST = block, longest
    try:
        yield
    finally:
        units.BLOCK, units.LONGEST = before


@contextmanager
def written(content: bytes, name: str = "chat.jsonl") -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        yield path


def lines_of(found: list[Unit]) -> list[tuple[int, bytes]]:
    """(number, line) of all pieces, each of which must be whole lines."""
    numbered: list[tuple[int, bytes]] = []
    for unit in found:
        assert isinstance(unit, Lines)
        numbered += enumerate(unit.read().splitlines(keepends=True), unit.first)
    return numbered


@pytest.mark.parametrize("name", ["chat.jsonl", "chat.jsonl.gz"])
@settings(deadline=None)
@given(LINES, st.integers(1, 40), st.booleans(), st.booleans(), st.booleans())
def test_the_pieces_of_a_file_are_its_lines(
    name: str, lines: list[bytes], block: int, bom: bool, ends: bool, with_data: bool
) -> None:
    text = b"\n".join(line.replace(b"\r", b"") for line in lines)
    text = text.removeprefix(BOM) + (b"\n" if ends and text else b"")
    assume(not text.startswith(BOM))
    with written((BOM if bom else b"") + text, name) as path, sized(block):
        found = list(blocks(path, with_data))
        assert b"".join(unit.read() for unit in found if isinstance(unit, Lines)) == text
        assert lines_of(found) == list(enumerate(text.splitlines(keepends=True), 1))
        assert sum(unit.size for unit in found) == len(text)


@settings(deadline=None)
@given(LINES, st.integers(1, 40))
def test_what_is_left_in_the_file_is_what_would_have_travelled(
    lines: list[bytes], block: int
) -> None:
    with written(b"\n".join(lines)) as path, sized(block):
        here, there = list(blocks(path)), list(blocks(path, with_data=False))
        assert all(isinstance(unit, Lines) and not unit.data for unit in there)
        assert [unit.read() for unit in there if isinstance(unit, Lines)] == [
            unit.read() for unit in here if isinstance(unit, Lines)
        ]


@pytest.mark.parametrize("name", ["chat.jsonl", "chat.jsonl.gz"])
@pytest.mark.parametrize("content", [b"", BOM])
def test_a_file_without_a_line_has_no_dialogue(name: str, content: bytes) -> None:
    with written(content, name) as path:
        assert b"".join(u.read() for u in blocks(path) if isinstance(u, Lines)) == b""


@pytest.mark.parametrize("name", ["chat.jsonl", "chat.jsonl.gz"])
@pytest.mark.parametrize("block", [8, 16, 64])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_is_rejected_and_the_others_are_read(
    name: str, block: int, end: bytes
) -> None:
    long = b"x" * 200
    content = b"\n".join([b"one", long, b"three", long, long, b"six", long]) + end
    with written(content, name) as path, sized(block, longest=100):
        found = list(blocks(path))
    rejects = [one for unit in found if isinstance(unit, Batch) for one in unit.records]
    assert [one.line for one in rejects if isinstance(one, Reject)] == [2, 4, 5, 7]
    rest = [unit for unit in found if isinstance(unit, Lines)]
    assert [(n, line.strip()) for n, line in lines_of([*rest]) if line.strip()] == [
        (1, b"one"),
        (3, b"three"),
        (6, b"six"),
    ]


@pytest.mark.parametrize("content", [b"a\n" * 99, b"x" * 3000, b"ab\n" + b"x" * 3000])
@pytest.mark.parametrize("cut", [1, 9, 20, -12, -1])
def test_a_packed_file_that_breaks_off_ends_in_a_reject(content: bytes, cut: int) -> None:
    with written(b"", "chat.jsonl.gz") as path, sized(16, longest=100):
        path.write_bytes(gzip.compress(content)[:cut])
        *_, last = blocks(path)
    assert isinstance(last, Batch)
    (reject,) = last.records
    assert isinstance(reject, Reject)
    assert reject.reason.startswith("not a whole gzip file: ")


@pytest.mark.parametrize("name", ["chat.json", "chat.json.gz"])
@pytest.mark.parametrize("before", [b"", BOM, b"\n  "])
def test_a_chat_file_may_be_one_list(name: str, before: bytes) -> None:
    content = b'[{"messages": []},\n {"messages": []}]'
    with written(before + content, name) as path:
        (batch,) = pieces([path], "cm2")
    assert isinstance(batch, Batch)
    assert len(batch.records) == 2


def test_the_same_files_give_the_same_pieces() -> None:
    with written(b"line\n" * 50) as path, sized(32):
        assert list(pieces([path, path], "cm2")) == 2 * list(pieces([path], "cm2"))


@settings(deadline=None)
@given(LINES, st.integers(1, 40), st.integers(1, 5), st.booleans())
def test_smaller_pieces_are_the_same_lines(
    lines: list[bytes], block: int, most: int, ends: bool
) -> None:
    text = b"\n".join(line.replace(b"\r", b"") for line in lines) + (b"\n" if ends else b"")
    assume(not text.startswith(BOM))
    with written(text) as path, sized(block):
        found = list(blocks(path))
        small = list(parted(found, most))
    assert lines_of(small) == lines_of(found)
    assert sum(unit.size for unit in small) == sum(unit.size for unit in found)
    for unit in small:
        assert isinstance(unit, Lines)
        assert unit.read().count(b"\n") <= most
        assert text[unit.offset :].startswith(unit.read())


def test_smaller_pieces_are_the_same_dialogues() -> None:
    refused = [Reject("f", number, "", "no", "mend") for number in range(7)]
    small = list(parted([Batch("f", refused, 70), Batch("g", [], 3)], 3))
    assert [len(one.records) for one in small if isinstance(one, Batch)] == [3, 3, 1, 0]
    assert [one.size for one in small] == [70, 0, 0, 3]
