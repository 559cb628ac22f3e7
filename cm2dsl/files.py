"""The files that a spec names: inside its folder, readable, UTF-8."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Any

from cm2dsl.diagnostic import Log, suggest
from cm2dsl.jsonl import JsonError, parse
from cm2dsl.nodes import String
from cm2dsl.source import Source, Span


class Files:
    """Reads files under `root` once each, and remembers what was read.

    Names are POSIX paths relative to `root`, which is the folder of the spec that is compiled.
    """

    def __init__(self, root: Path, log: Log) -> None:
        self.root = root
        self.log = log
        self.read_bytes: dict[str, bytes] = {}
        self.shown_root = ""

    def shown(self, name: str) -> str:
        """The file as the user would name it from where they stand."""
        return f"{self.shown_root}{name}"

    def open(self, file: String) -> tuple[str, Source] | None:
        """The file's name and text, or None where the log says why there is none."""
        name = self.name(file)
        if name is None:
            return None
        if name not in self.read_bytes:
            path = self.root / name
            try:
                self.read_bytes[name] = path.read_bytes()
            except OSError as error:
                self._missing(name, path, file.span, error)
                return None
        try:
            text = self.read_bytes[name].decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raw = self.read_bytes[name]
            line = raw[: error.start].count(b"\n") + 1
            message = f"`{name}` is not UTF-8 text (line {line})"
            self.log.error("E403", message, file.span, "save it as UTF-8")
            return None
        return name, Source(self.root / name, self.shown(name), text.replace("\r\n", "\n"))

    def name(self, file: String) -> str | None:
        """The name of a file inside the spec's folder."""
        if any(not isinstance(part, str) for part in file.parts):
            help = "write the name out; row values and parameters cannot name files"
            self.log.error("E401", "a file name cannot hold a reference", file.span, help)
            return None
        written = "".join(str(part) for part in file.parts)
        pure = PurePosixPath(written)
        inside = not pure.is_absolute() and "\\" not in written and written.strip() != ""
        if inside:
            resolved = (self.root / pure).resolve()
            inside = (
                resolved.is_relative_to(self.root.resolve()) and resolved != self.root.resolve()
            )
        if not inside:
            help = "name a file in the spec's folder or below it, with `/` between folders"
            self.log.error("E401", f"`{written}` is outside the spec's folder", file.span, help)
            return None
        return (self.root / pure).resolve().relative_to(self.root.resolve()).as_posix()

    def _missing(self, name: str, path: Path, span: Span, error: OSError) -> None:
        if path.exists():
            reason = (error.strerror or "it cannot be read").lower()
            self.log.error("E402", f"cannot read `{name}`: {reason}", span, "name a readable file")
            return
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        near = suggest(path.name, beside)
        help = near if near.startswith("did you") else "make the file, or correct the name"
        self.log.error("E402", f"there is no file `{name}`", span, help)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of everything that was read, by name."""
        return {
            name: hashlib.sha256(self.read_bytes[name]).hexdigest()
            for name in sorted(self.read_bytes)
        }


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
    if value is None:
        span = Span(source, start, start + 1)
        log.error("E404", "the JSON value is null", span, "write an object or a list")
    return value
