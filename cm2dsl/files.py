"""The files that a spec names: inside its folder, readable, UTF-8."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from cm2dsl.diagnostic import Log, suggest
from cm2dsl.jsonl import JsonError, parse
from cm2dsl.nodes import String
from cm2dsl.source import Source, Span, read_source

# The IR is read back by a reader that goes some hundred levels deep.
DEEPEST = 100
NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\]")


class Files:
    """Reads files under `root` once each, and remembers what was read.

    `through_link` says whether a link led to some file: to which one hangs on more than content.

    Names are POSIX paths relative to `root`, which is the folder of the spec that is compiled.
    """

    def __init__(self, root: Path, log: Log) -> None:
        self.root = root
        self.log = log
        self.read_bytes: dict[str, bytes] = {}
        self.sources: dict[str, Source] = {}
        self.shown_root = ""
        self.through_link = False
        self._names: dict[Path, str] = {}

    def shown(self, name: str) -> str:
        """The file as the user would name it from where they stand."""
        return f"{self.shown_root}{name}"

    def open(self, file: String) -> tuple[str, Source] | None:
        """The file's name and text, or None where the log says why there is none."""
        name = self.name(file)
        if name is None:
            return None
        if name in self.sources:
            return name, self.sources[name]
        if name not in self.read_bytes:
            path = self.root / name
            try:
                self.read_bytes[name] = path.read_bytes()
            except FileNotFoundError:
                self._missing(name, path, file.span)
                return None
            except OSError as error:
                reason = (error.strerror or "it cannot be read").lower()
                help = "name a readable file"
                self.log.error("E402", f"cannot read `{name}`: {reason}", file.span, help)
                return None
        related = ((file.span, "named here"),)
        raw = self.read_bytes[name]
        source = decode(raw, self.root / name, self.shown(name), self.log, related)
        if source is None:
            return None
        self.sources[name] = source
        return name, source

    def name(self, file: String) -> str | None:
        """The name of a file inside the spec's folder."""
        if any(not isinstance(part, str) for part in file.parts):
            help = "write the name out; row values and parameters cannot name files"
            self.log.error("E401", "a file name cannot hold a reference", file.span, help)
            return None
        written = "".join(str(part) for part in file.parts)
        pure = PurePosixPath(written)
        help = "name a file in the spec's folder or below it, with `/` between folders"
        if not written.strip() or NOT_IN_NAMES.search(written):
            self.log.error("E401", f"`{written}` is not a file name", file.span, help)
            return None
        try:
            resolved = (self.root / pure).resolve()
        except (OSError, RuntimeError):  # a circle of links
            self.log.error("E402", f"cannot read `{written}`", file.span, "name a readable file")
            return None
        if pure.is_absolute() or resolved == self.root or not resolved.is_relative_to(self.root):
            self.log.error("E401", f"`{written}` is outside the spec's folder", file.span, help)
            return None
        self.through_link |= os.path.normpath(self.root / pure) != str(resolved)
        return resolved.relative_to(self.root).as_posix()

    def _missing(self, name: str, path: Path, span: Span) -> None:
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        near = suggest(path.name, beside)
        help = near if near.startswith("did you") else "make the file, or correct the name"
        self.log.error("E402", f"there is no file `{name}`", span, help)

    def name_of(self, source: Source) -> str:
        """The name of a file that was opened."""
        if source.path not in self._names:
            self._names[source.path] = source.path.relative_to(self.root).as_posix()
        return self._names[source.path]

    def hashes(self) -> dict[str, str]:
        """SHA-256 of everything that was read, by name."""
        return {
            name: hashlib.sha256(self.read_bytes[name]).hexdigest()
            for name in sorted(self.read_bytes)
        }


def decode(
    raw: bytes, path: Path, shown: str, log: Log, related: tuple[tuple[Span, str], ...] = ()
) -> Source | None:
    """The text of a file, which must be UTF-8; None where the log says where it is not."""

    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error counts from after a byte order mark.
        before = raw[: len(raw) - len(error.object) + error.start]
        at = len(read_source(before, path, shown).text)
        span = Span(read_source(raw, path, shown), at, at + 1)
        log.error("E403", "this is not UTF-8 text", span, "save the file as UTF-8", related)
        return None
    return read_source(raw, path, shown)


def read_json(source: Source, log: Log, text: str | None = None, line: int = 1) -> Any:
    """The JSON value of a source, or of one line of it; faults go to the log at their place.

    Returns None where the text is not JSON (JSON `null` is reported as a fault too: nothing that
    a spec reads may be null).
    """
    start = source.line_starts[line - 1]
    try:
        value = parse(source.text if text is None else text)
    except JsonError as error:
        at = min(start + (error.position or 0), max(len(source.text) - 1, 0))
        message = re.sub(r" at column \d+", "", error.message)  # the span says where
        log.error("E404", message, Span(source, at, at + 1), error.help)
        return None
    if value is None or _depth(value) > DEEPEST:
        span = Span(source, start, start + 1)
        if value is None:
            log.error("E404", "the JSON value is null", span, "write an object or a list")
        else:
            log.error("E404", f"this is nested more than {DEEPEST} deep", span, "write it flatter")
        return None
    return value


def _depth(value: Any) -> int:
    """How deep lists and objects stand in each other."""
    depth = 0
    level = [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in _inside(each)]
    return depth


def _inside(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
