"""Other people's JSON, read with the place of every value, so that a fault can name it.

    top = read_json(path)                    # Found: the whole file (gzip too, by its name)
    for entry in top.items():                # the elements of a list
        name = entry["name"].text()          # a member that must be there
        notes = entry.get("notes")           # None where it is absent or null

Every method that expects a type raises SourceFault, which names the file, the line where the file
has one value a line, the path of the value, what was found and what was expected.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2.formats.strictness import first_fault
from cm2dsl.fields import shown
from cm2dsl.jsonl import JsonError, lines, parse

HUGE = 1 << 30
"""Bytes that a file may unpack to."""

NESTING = 64
"""Levels of a JSON value that a spec may hold: more than any schema or argument needs."""

COMPARED = 28
"""Levels of an argument that a check can compare: its brackets are in those of the check."""

BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
"""What the reading of a packed file raises where it is damaged, or none."""


class SourceFault(Exception):  # noqa: N818 - a fault of what is read, not of the program
    """A file that is not what its format says. `help` says what to do."""

    def __init__(self, file: str, line: int | None, path: str, message: str, help: str) -> None:
        place = f"{file}:{line}" if line is not None else file
        where = f"`{path}`: " if path else ""
        super().__init__(f"{place}: error: {where}{message}\n  = help: {help}")
        self.file = file
        self.line = line
        self.path = path
        self.message = message
        self.help = help

    def helped(self, help: str) -> SourceFault:
        """The same fault with another help."""
        return SourceFault(self.file, self.line, self.path, self.message, help)


@dataclass(frozen=True, slots=True)
class Found:
    """A JSON value and where it stands. `path` is written as in `tasks[3].actions[0].name`."""

    value: Any
    file: str
    line: int | None = None
    path: str = ""

    def fault(self, message: str, help: str) -> SourceFault:
        return SourceFault(self.file, self.line, self.path, message, help)

    def wrong(self, expected: str) -> SourceFault:
        return self.fault(f"found {shown(self.value)}", f"expected {expected}")

    def __getitem__(self, key: str) -> Found:
        """The member `key` of an object; it must be there, and may be null."""
        members = self.object()
        if key not in members:
            raise self.fault(f"`{key}` is missing", f"the object has {_names(members)}")
        return self._member(key, members[key])

    def get(self, key: str) -> Found | None:
        """The member `key` of an object; None where it is absent or null."""
        value = self.object().get(key)
        return None if value is None else self._member(key, value)

    def _member(self, key: str, value: Any) -> Found:
        path = f"{self.path}.{key}" if self.path else key
        return Found(value, self.file, self.line, path)

    def members(self) -> Iterator[tuple[str, Found]]:
        """(key, value) of every member of an object, in order."""
        for key, value in self.object().items():
            yield key, self._member(key, value)

    def items(self) -> Iterator[Found]:
        """The elements of a list, in order."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        for index, value in enumerate(self.value):
            yield Found(value, self.file, self.line, f"{self.path}[{index}]")

    def object(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return self.value

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def filled(self) -> str:
        """A string with something in it."""
        if not self.text().strip():
            raise self.wrong("a string that is not empty")
        return self.text()

    def bounded(self, levels: int = NESTING) -> Found:
        """This value, which a spec can hold: it is not nested too deeply for that."""
        if too_deep(self.value, levels):
            raise self.fault(f"nested more than {levels} levels deep", "write it flatter")
        return self

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def whole(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        return self.value

    def number(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.wrong("a number")
        return self.value

    def texts(self) -> list[str]:
        """A list of strings."""
        return [element.text() for element in self.items()]


def too_deep(value: Any, levels: int = NESTING) -> bool:
    """Whether a JSON value has more levels."""
    level = [value]
    for _ in range(levels):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, Mapping):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    return bool(level)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, unpacked where its name ends in `.gz`. Raises SourceFault, OSError."""
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as file:
            data = file.read(HUGE + 1)
    except BROKEN as error:
        raise SourceFault(str(path), None, "", not_gzip(error), "fetch the file again") from None
    if len(data) > HUGE:
        raise SourceFault(str(path), None, "", "unpacks to more than 1 GiB", "split the file")
    return data


def not_gzip(error: Exception) -> str:
    """What is wrong with a packed file, from what its reading raised, one of BROKEN."""
    if isinstance(error, EOFError):
        reason = "it breaks off"
    elif str(error).startswith("Not a gzipped file"):
        reason = "it begins with something else"
    else:
        reason = "its content is damaged"
    return f"not a whole gzip file: {reason}"


def read_text(path: Path) -> str:
    """The text of a UTF-8 file. Raises SourceFault, OSError."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}"
        raise SourceFault(str(path), None, "", message, "save the file as UTF-8") from None


def read_json(path: Path) -> Found:
    """The one JSON value of a file. Raises SourceFault, OSError."""
    text = read_text(path)
    try:
        return Found(parse(text), str(path))
    except JsonError as error:
        position = first_fault(text) if error.position is None else error.position
        line = None if position is None else text.count("\n", 0, position) + 1
        raise SourceFault(str(path), line, "", error.message, error.help) from None


def read_lines(path: Path) -> Iterator[Found]:
    """The JSON values of a file that has one a line; blank lines are skipped.

    Raises SourceFault at the first line that is not JSON, and OSError.
    """
    for number, line in lines(read_bytes(path).splitlines(keepends=True)):
        try:
            yield Found(parse(line), str(path), number)
        except JsonError as error:
            raise SourceFault(str(path), number, "", error.message, error.help) from None


def _names(members: dict[str, Any]) -> str:
    if not members:
        return "no members"
    names = [f"`{name}`" for name in list(members)[:6]]
    return ", ".join(names) + (" …" if len(members) > 6 else "")
