"""Golden cases: one text file each, with the files that go in and the text that comes out.

    --- spec.cm2
    cm2 1
    …
    --- rows.csv latin-1
    …
    === exit 1
    spec.cm2:2:1: error[E001]: …

Every `---` line begins a file, which is written in the encoding named, else in UTF-8. What is in
`diagnostics/shared/` lies beside them, unless the case has a file of that name. A case without a
`---` line for spec.cm2 compiles whatever it has. Below `===` is what the command writes to stderr.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "diagnostics"
SHARED = HERE / "shared"
FILE = re.compile(r"^--- (\S+)(?: (\S+))?\n", re.MULTILINE)
EXPECTED = re.compile(r"^=== exit (\d+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """`files` are (name, encoding, text); `above` is the case as far as the `===` line."""

    path: Path
    above: str
    files: tuple[tuple[str, str, str], ...]
    exit_code: int | None
    stderr: str

    def unpack(self, folder: Path) -> None:
        """Write the shared files, and the case's own over them."""
        shutil.copytree(SHARED, folder, dirs_exist_ok=True)
        for name, encoding, text in self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode(encoding))

    def update(self, exit_code: int, stderr: str) -> None:
        text = f"{self.above}=== exit {exit_code}\n{stderr}"
        self.path.write_text(text, encoding="utf-8")


def read_case(path: Path) -> Case:
    text = path.read_text(encoding="utf-8")
    expected = EXPECTED.search(text)
    above = text[: expected.start()] if expected else text
    heads = list(FILE.finditer(above))
    stops = [head.start() for head in heads[1:]] + [len(above)]
    files = tuple(
        (head[1], head[2] or "utf-8", above[head.end() : stop])
        for head, stop in zip(heads, stops, strict=True)
    )
    exit_code = int(expected[1]) if expected else None
    return Case(path, above, files, exit_code, text[expected.end() :] if expected else "")


def all_cases() -> list[Path]:
    return sorted(HERE.glob("*.txt"))
