"""What can be wrong with a file: one change to it, by chance, from a seed.

A mutation of the bytes or of the file system always makes the input invalid, and says so
(`fails`). One of the value may happen to leave it valid, as where a free text is changed.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from source_files import File, Input, written

Where = tuple[str | int, ...]
"""The keys and indices that lead to a value."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file after a mutation: what it holds now, or what is done to it.

    `fails`: no reader may accept it. `whole`: there is no place in the file to name.
    `where` is the value that was changed; in a file of lines its first step is the line.
    """

    change: bytes | Callable[[Path], None]
    fails: bool = False
    whole: bool = False
    where: Where | None = None
    renamed: str = ""

    def apply(self, path: Path) -> Path:
        """Make the file at `path` the mutant; where it is then."""
        if self.renamed:
            path.unlink()
            path = path.with_name(path.name + self.renamed)
        if callable(self.change):
            self.change(path)
        else:
            path.write_bytes(self.change)
        return path


Mutation = Callable[[File, Input, random.Random], Mutant | None]
"""None where the file has nothing that it could be done to."""

# --- values -----------------------------------------------------------------------------------


def places(value: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every value inside a value, and where it is."""
    yield where, value
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield from places(member, (*where, key))


def values(file: File) -> list[tuple[Where, Any]]:
    """The values that a mutation may change: a list of lines is none itself."""
    return [] if file.kind == "text" else list(places(file.value))[file.kind == "lines" :]


def at(value: Any, where: Where) -> Any:
    for step in where:
        value = value[step]
    return value


def with_value(file: File, where: Where, new: Any) -> File:
    """The file with another value at a place."""
    if not where:
        return File(file.kind, new)
    changed = copy.deepcopy(file.value)
    at(changed, where[:-1])[where[-1]] = new
    return File(file.kind, changed)


OTHERS: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    2.5,
    "",
    "other",
    "ünlike {row.x}",
    [],
    [[]],
    {},
    {"a": 1},
    [None],
)


def replace(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A value of another type."""
    if not (found := values(file)):
        return None
    where, old = chance.choice(found)
    new = chance.choice([other for other in OTHERS if type(other) is not type(old)])
    return Mutant(with_value(file, where, new).data(), whole=not where, where=where)


def wrap(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A container around a value."""
    if not (found := values(file)):
        return None
    where, old = chance.choice(found)
    new = chance.choice([[old], {"value": old}, [old, old]])
    return Mutant(with_value(file, where, new).data(), whole=not where, where=where)


def unwrap(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A container gives way to one of its elements."""
    found = [(where, old) for where, old in values(file) if isinstance(old, dict | list) and old]
    if not found:
        return None
    where, old = chance.choice(found)
    new = chance.choice(list(old.values()) if isinstance(old, dict) else old)
    return Mutant(with_value(file, where, new).data(), whole=not where, where=where)


def drop(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A key goes."""
    found = [where for where, _ in values(file) if where and isinstance(where[-1], str)]
    return _without(file, chance.choice(found)) if found else None


def drop_needed(file: File, source: Input, chance: random.Random) -> Mutant | None:
    """A key goes that must be there."""
    found = [where for where, _ in values(file) if where and where[-1] in source.needed]
    return _without(file, chance.choice(found)) if found else None


def _without(file: File, where: Where) -> Mutant:
    changed = copy.deepcopy(file.value)
    del at(changed, where[:-1])[where[-1]]
    return Mutant(File(file.kind, changed).data(), where=where)


def repeat(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """An element stands twice: a task, a tool, a message, a line."""
    lists = [(where, old) for where, old in places(file.value) if isinstance(old, list) and old]
    if file.kind == "text" or not lists:
        return None
    where, old = chance.choice(lists)
    index = chance.randrange(len(old))
    twice = [*old[: index + 1], *old[index:]]
    return Mutant(with_value(file, where, twice).data(), where=where)


def same_id(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """Two neighbours have one id, or one name."""
    found = [
        (where, key, pair)
        for where, old in places(file.value)
        if file.kind != "text" and isinstance(old, list)
        for pair in zip(range(len(old)), range(1, len(old)), strict=False)
        for key in ("id", "name", "uuid", "task_id")
        if all(isinstance(old[index], dict) and key in old[index] for index in pair)
    ]
    if not found:
        return None
    where, key, (one, other) = chance.choice(found)
    new = at(file.value, (*where, one, key))
    return Mutant(with_value(file, (*where, other, key), new).data(), where=(*where, other, key))


# --- JSON that is none ------------------------------------------------------------------------

MARK = "@here@"


def _spelled(file: File, chance: random.Random, text: str, scalar: bool = True) -> Mutant | None:
    """The file with `text` where a value was, as no JSON writer would spell it."""
    found = [each for each in values(file) if not (scalar and isinstance(each[1], dict | list))]
    if not found:
        return None
    where, _ = chance.choice(found)
    changed = with_value(file, where, MARK)
    spelled = written(changed.kind, changed.value).replace(f'"{MARK}"', text)
    return Mutant(spelled.encode(), fails=True, whole=not where, where=where)


def not_finite(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A number that is none."""
    return _spelled(
        file, chance, chance.choice(["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
    )


def huge_number(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """More digits than are read."""
    return _spelled(file, chance, chance.choice(["", "-"]) + "9" * 5000)


def half_pair(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """Half a surrogate pair."""
    half = chance.choice(["\\ud83d", "\\udc00", "\\ud83d\\ud83d"])
    return _spelled(file, chance, f'"a {half}"')


def control(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A control character as it is, in a string."""
    char = chance.choice("\0\a\b\t\x1b")
    return _spelled(file, chance, f'"a{char}b"')


def escape(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """An escape that JSON does not have."""
    return _spelled(file, chance, chance.choice(['"\\x41"', '"\\u12g4"', '"\\"', "'single'"]))


def spelling(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """What JavaScript and Python would take."""
    wrong = ["True", "None", "undefined", "[1,]", "{a: 1}", "0x1F", "01", ".5", "1 2", "// x"]
    return _spelled(file, chance, chance.choice(wrong))


def nested(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """100,000 levels."""
    open, close = chance.choice(["[]", ('{"a":', "}")])
    mutant = _spelled(file, chance, open * 100_000 + "1" + close * 100_000)
    return mutant and Mutant(mutant.change, fails=True, whole=True, where=mutant.where)


def key_twice(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A key occurs twice in one object, with equal or different values."""
    found = [(w, old) for w, old in values(file) if isinstance(old, dict) and old]
    if not found:
        return None
    where, old = chance.choice(found)
    key = chance.choice(list(old))
    again = {MARK: chance.choice([old[key], "other"])}
    changed = with_value(file, where, chance.choice([{**old, **again}, {**again, **old}]))
    spelled = written(changed.kind, changed.value).replace(f'"{MARK}"', json.dumps(key))
    return Mutant(spelled.encode(), fails=True, where=where)


# --- bytes ------------------------------------------------------------------------------------


def truncate(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """The file ends too early, inside a value."""
    if file.kind == "text":
        return None
    data = file.data()
    while True:
        cut = data[: chance.randrange(1, len(data) - 1)]
        rest = cut.rpartition(b"\n")[2] if file.kind == "lines" else cut
        with suppress(ValueError):
            json.loads(rest or b"0")
            continue
        return Mutant(cut, fails=True, where=(cut.count(b"\n"),) if file.kind == "lines" else ())


def _inside(file: File, chance: random.Random) -> tuple[bytes, int, Where]:
    """The file's bytes, a place between two letters in them, and its line."""
    data = file.data()
    places = [match.end() for match in re.finditer(rb"[a-z](?=[a-z])", data)]
    place = chance.choice(places)
    return data, place, (data.count(b"\n", 0, place),) if file.kind == "lines" else ()


def not_utf8(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A byte that UTF-8 has not, or not there."""
    data, place, where = _inside(file, chance)
    wrong = chance.choice([b"\xff", b"\xc3", b"\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
    return Mutant(data[:place] + wrong + data[place:], fails=True, where=where)


def utf16(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """Another encoding, with its mark."""
    text = file.data().decode()
    return Mutant(text.encode(chance.choice(["utf-16", "utf-32"])), fails=True)


def latin1(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """An encoding of one byte a letter."""
    text = file.data().decode()
    return Mutant(text.encode(chance.choice(["latin-1", "cp1252"])), fails=True)


def noise(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """Bytes of something else."""
    return Mutant(b"\x89PNG\r\n\x1a\n\0\xff" + chance.randbytes(200), fails=True)


def empty(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """Nothing in it."""
    text = chance.choice(["", " ", "\n\n", "\ufeff", "\r\n", "\t"])
    return None if file.kind == "text" else Mutant(text.encode(), fails=True, whole=True)


def hollow(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A value without anything in it."""
    text = chance.choice(["[]", "{}", "null", '""', "0", "[[]]", "[{}]", "{}\n{}\n", "[null]"])
    return None if file.kind == "text" else Mutant(text.encode(), fails=True, whole=True)


# --- files ------------------------------------------------------------------------------------


def _gone(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as one, suppress(OSError):  # a long path has no socket
        one.bind(str(path))
    if not path.is_socket():
        path.mkdir()


def _locked(path: Path) -> None:
    path.chmod(0)  # nothing to a superuser
    if _readable(path):
        _circle(path)


def _readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def file_system(file: File, source: Input, chance: random.Random) -> Mutant | None:
    """No file where one should be, or one that cannot be read."""
    changes = [_gone, _folder, _circle, _dangling, _socket, _locked]
    needed = all(file is not source.files[name] for name in source.optional)
    return Mutant(chance.choice(changes), fails=needed, whole=True)


def folder_as_file(file: File, source: Input, chance: random.Random) -> Mutant | None:
    """A file where a folder should be."""

    def change(path: Path) -> None:
        folder = path.parent
        shutil.rmtree(folder)
        folder.write_bytes(file.data())

    return Mutant(change, fails=True, whole=True) if source.given == "." else None


# --- gzip -------------------------------------------------------------------------------------


def gzip_broken(file: File, source: Input, chance: random.Random) -> Mutant | None:
    """A packed file that breaks off, was changed, or is none."""
    if file is not source.files.get(source.given):
        return None
    data = gzip.compress(file.data(), mtime=0)
    flipped = bytearray(data)
    flipped[-chance.randrange(1, 9)] ^= 0x55  # checksum or length
    broken = [data[: chance.randrange(3, len(data) - 8)], bytes(flipped), file.data(), data[:-4]]
    return Mutant(chance.choice(broken), fails=True, whole=True, renamed=".gz")


def gzip_unnamed(file: File, _: Input, chance: random.Random) -> Mutant | None:
    """A packed file whose name does not say so."""
    return Mutant(gzip.compress(file.data(), mtime=0), fails=True)


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__.replace("_", " "): mutation
    for mutation in (
        *(replace, wrap, unwrap, drop, drop_needed, repeat, same_id),
        *(not_finite, huge_number, half_pair, control, escape, spelling, nested, key_twice),
        *(truncate, not_utf8, utf16, latin1, noise, empty, hollow),
        *(file_system, folder_as_file, gzip_broken, gzip_unnamed),
    )
}
