"""What was found out about specs before, in `.cm2c_cache/`, so that it need not be found out again.

An entry is what one command made of one spec. It is used only if all of this is as it was:

- the spec as the command line names it, the command, and its options: they are the entry's name;
- the compiler, by the hash of its own files, and Python, whose `re` and `compile` specs rely on;
- every file that was read for the spec, imports of imports included, by SHA-256 of its content.

So no clock is asked: a file that was touched is the same file, and one that was changed and given
its old time is another. What is not kept is what hangs on more than content: faults, because a
file that is missing today may be there tomorrow, and specs that reach a file through a link, which
may lead elsewhere then. Files are named from the folder of the spec, so a project that is copied
with its cache is judged by its own files.

An entry begins with the SHA-256 of the rest. One that is cut off, was changed, or is something
else is no entry: it is made again. This is against accidents, not against somebody who can write
to the folder: they could as well change the specs. Entries are written beside and renamed, so two
processes that make the same one leave one of the two, and both are right. A folder that cannot be
written means no cache, and nothing is said: it is only slower.
"""

# pathlib takes some times longer, and a thousand specs have ten thousand files.
# ruff: noqa: PTH105, PTH112, PTH114, PTH120, PTH123

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from msgspec import Struct

from cm2dsl.identity import __version__, own_hash

FOLDER = ".cm2c_cache"
TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This folder is a cache of cm2c, and can be deleted. Backups leave it out by this file.
"""

PART = 1 << 16
"""Bytes of a file that are read at once."""

BINARY: int = getattr(os, "O_BINARY", 0)
NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""What Windows knows and others do not, and the other way round: links there are rare."""

Value = TypeVar("Value")
Key = tuple[str, ...]
"""A command, a spec as it was named, and options: what an entry is found by."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """`reads` has the SHA-256 of every file by its name below the folder of the spec."""

    key: Key
    made_by: tuple[str, ...]
    reads: dict[str, str]
    value: msgspec.Raw


class Cache:
    """The entries below one folder. It is for one run: what it has read, it takes to be so still.

    Without a folder nothing is kept and nothing is found.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else os.fspath(folder)
        self._made_by = (__version__, own_hash(), sys.version) if folder is not None else ()
        self._hashes: dict[str, str | None] = {}
        self._links: dict[str, bool] = {}

    def get(self, spec: Path, key: Key, kind: type[Value]) -> Value | None:
        """What is kept for a spec under a key, or None where nothing is that can be trusted."""
        if self._folder is None:
            return None
        content = _content(self._path(key))
        entry = _opened(content) if content is not None else None
        if entry is None or entry.key != key or entry.made_by != self._made_by:
            return None
        root = os.path.dirname(spec)
        if not all(self._hash(root, name) == known for name, known in entry.reads.items()):
            return None
        try:
            return msgspec.json.decode(entry.value, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            return None

    def put(self, spec: Path, key: Key, reads: Mapping[str, bytes], value: Any) -> None:
        """Keep a value that was made of these files: their names below the spec's folder."""
        if self._folder is None or os.path.islink(spec):
            return
        hashes = {name: sha256(content).hexdigest() for name, content in reads.items()}
        try:
            raw = msgspec.Raw(msgspec.json.encode(value))
            body = msgspec.json.encode(Entry(key, self._made_by, hashes, raw))
        except UnicodeEncodeError:  # a file's name that is no text
            return
        path = self._path(key)
        beside = f"{path}.{os.getpid()}"
        try:
            self._make_folder()
            with open(beside, "wb") as file:
                file.write(sha256(body).hexdigest().encode() + b"\n" + body)
            os.replace(beside, path)
        except OSError:
            self._folder = None
            with suppress(OSError):
                Path(beside).unlink()

    def _path(self, key: Key) -> str:
        name = sha256(repr(key).encode()).hexdigest()
        return f"{self._folder}/{name}.json"

    def _make_folder(self) -> None:
        assert self._folder is not None
        if os.path.isdir(self._folder):
            return
        folder = Path(self._folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "CACHEDIR.TAG").write_text(TAG, encoding="utf-8")
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")

    def _hash(self, root: str, name: str) -> str | None:
        """The hash of a file, which several specs may read; None where it is not plainly there."""
        path = f"{root}/{name}" if root else name
        if path not in self._hashes:
            content = None if self._behind_link(root, name) else _content(path, NO_LINK)
            self._hashes[path] = None if content is None else sha256(content).hexdigest()
        return self._hashes[path]

    def _behind_link(self, root: str, name: str) -> bool:
        """Whether one of the folders between the spec's folder and the file is a link."""
        folder = name.rpartition("/")[0]
        if not folder:
            return False
        path = f"{root}/{folder}" if root else folder
        if path not in self._links:
            self._links[path] = os.path.islink(path) or self._behind_link(root, folder)
        return self._links[path]


cache_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--no-cache",
    "cache",
    is_flag=True,
    callback=lambda context, parameter, without: Cache(None if without else Path(FOLDER)),
    help=f"Find everything out anew, and keep nothing in {FOLDER}.",
)
"""The option of commands that keep what they found out; their parameter `cache` is a Cache."""


def _content(path: str, flags: int = 0) -> bytes | None:
    """What is in a file; None where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | BINARY | flags)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, PART):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _opened(content: bytes) -> Entry | None:
    """The entry in the content of its file; None where it is not what was written."""
    head, _, body = content.partition(b"\n")
    if head != sha256(body).hexdigest().encode():
        return None
    try:
        return msgspec.json.decode(body, type=Entry)
    except (msgspec.MsgspecError, RecursionError):
        return None
