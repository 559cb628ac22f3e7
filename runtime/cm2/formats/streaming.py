"""The JSON values of a file, one at a time: a line each, or all of them in one list.

A file of lines is read in constant memory, also where it is packed (`.gz`). What is wrong with one
line is said of that line, and the others are read.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from cm2.formats.record import Record, Reject
from cm2.formats.source import BROKEN, HUGE, Found, SourceFault, not_gzip, read_json
from cm2.trajectory import Trajectory
from cm2dsl.chat import ChatError, from_chat
from cm2dsl.jsonl import JsonError, parse

LONGEST = 64 << 20
"""Bytes that a line may have: far more than any dialogue, far less than the memory."""

_BOM = b"\xef\xbb\xbf"
_INSIDE = (b"{", b"[", b",", b":")  # how a line ends that an object goes on after


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is not blank. `text` is its first piece where it is longer than LONGEST."""

    number: int
    text: bytes
    too_long: bool = False


def records(path: Path, convert: Callable[[Found, int], Record]) -> Iterator[Record | Reject]:
    """What `convert` makes of each value of a file; it is given the value and its number, from 1.

    A SourceFault that `convert` raises becomes a Reject. Raises SourceFault where the file holds
    no value, or is one JSON list that cannot be read; and OSError.
    """
    number = 0
    for number, found in enumerate(json_values(path), start=1):
        if isinstance(found, Reject):
            yield found
            continue
        try:
            record = convert(found, found.line or number)
        except SourceFault as fault:
            yield Reject(fault.file, fault.line, fault.path, fault.message, fault.help)
        except RecursionError:  # what could just be read may be too deep to be worked on
            reason, help = "nested too deeply", "write it flatter"
            yield Reject(found.file, found.line, found.path, reason, help)
        else:
            yield record
    if not number:
        help = "write one JSON object a line"
        raise SourceFault(str(path), None, "", "the file holds no dialogue", help)


def json_values(path: Path) -> Iterator[Found | Reject]:
    """The values of a file, from one line each, or of the list or the object that it is as a whole.

    Raises SourceFault where a list cannot be read, and OSError.
    """
    with _open(path) as file:
        lines = _lines(file)
        try:
            first, second = next(lines, None), next(lines, None)
        except BROKEN as error:
            help = "fetch the file again"
            raise SourceFault(str(path), None, "", not_gzip(error), help) from None
        if first is None:
            return
        whole = _whole(path, first, second)
        if whole is not None:
            yield from whole
            return
        head = [line for line in (first, second) if line is not None]
        at = head[-1].number
        try:
            for line in chain(head, lines):
                at = line.number
                yield _value(path, line)
        except BROKEN as error:
            yield Reject(str(path), at + 1, "", not_gzip(error), "fetch the file again")


def dialogue(found: Found, number: int, chat: dict[str, object], places: list[str]) -> Trajectory:
    """The trajectory of a chat; `places` says where in `found` each message stands.

    A dialogue without an `id` has its number; a number as `id` is taken as text.
    Raises SourceFault.
    """
    id = chat.get("id")
    if id is None or (isinstance(id, int) and not isinstance(id, bool)):
        chat = {**chat, "id": str(number if id is None else id)}
    try:
        return from_chat(chat, file=found.file, line=number)
    except ChatError as error:
        message, path = error.message, found.path
        if error.index is not None:
            message = message.removeprefix(f"messages[{error.index}]: ")
            path = ".".join(part for part in (path, places[error.index]) if part)
        raise SourceFault(found.file, found.line, path, message, error.help) from None


def chat_dialogue(found: Found, number: int) -> Trajectory:
    """The trajectory of one object with OpenAI's `messages`. Raises SourceFault."""
    count = len(list(found["messages"].items()))
    return dialogue(found, number, found.object(), [f"messages[{i}]" for i in range(count)])


# --- reading ----------------------------------------------------------------------------------


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _lines(file: BinaryIO) -> Iterator[_Line]:
    number = 0
    while text := file.readline(LONGEST + 1):
        number += 1
        piece, too_long = text, len(text) > LONGEST
        while too_long and piece and not piece.endswith(b"\n"):
            piece = file.readline(LONGEST)
        if number == 1:
            text = text.removeprefix(_BOM)
        if text.strip():
            # The end of a line is no part of what a fault in it should name.
            yield _Line(number, text.rstrip(b"\r\n"), too_long)


def _whole(path: Path, first: _Line, second: _Line | None) -> Iterator[Found] | None:
    """The values of a file that is one JSON list or object over several lines; else None.

    A file is that if it begins with a list which the first line alone does not hold, or if its
    first line stops inside an object and the whole file is JSON.
    """
    is_list = first.text.lstrip().startswith(b"[")
    if not first.too_long:
        with suppress(JsonError):
            parse(first.text)
            if second is not None or not is_list:
                return None
    if not is_list and not (second and first.text.rstrip().endswith(_INSIDE)):
        return None
    if path.stat().st_size > (HUGE if is_list else LONGEST):
        if not is_list:
            return None
        help = "write one dialogue a line: that can be read piece by piece"
        raise SourceFault(str(path), None, "", "a JSON list of more than 1 GiB", help)
    try:
        top = read_json(path)
    except SourceFault:
        if is_list:
            raise
        return None
    return top.items() if is_list else iter([top])


def _value(path: Path, line: _Line) -> Found | Reject:
    file = str(path)
    if line.too_long:
        reason = f"longer than {LONGEST >> 20} MiB"
        return Reject(file, line.number, "", reason, "write one dialogue a line")
    try:
        return Found(parse(line.text), file, line.number)
    except JsonError as error:
        return Reject(file, line.number, "", error.message, error.help)
