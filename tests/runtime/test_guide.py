"""docs/guide.md, followed word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """Somebody who does what the guide says, in a clone of their own."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone
        self.spec = clone / "build" / "desk" / "library_desk.cm2"
        self.printed = ""

    def follow(self, kind: str, text: str) -> None:
        match kind:
            case "console":
                self.type(text)
            case "":
                assert text in self.printed
            case "jsonl":
                (self.clone / "build" / "lazy.jsonl").write_text(text, encoding="utf-8")
            case "cm2":
                self.read_or_replace(text)
            case _:
                assert (kind, text.count("pip install")) == ("sh", 1)

    def type(self, text: str) -> None:
        """Run each command; what the guide prints below it must be all that it prints."""
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.clone,
                env={**os.environ, "PATH": path, "PYTHONUTF8": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                timeout=60,
            )
            self.printed = done.stdout
            assert not expected or self.printed == expected

    def read_or_replace(self, task: str) -> None:
        """A task that is shown stands in the spec; one that differs takes its place."""
        spec = self.spec.read_text(encoding="utf-8")
        if task in spec:
            return
        head = re.escape(task.partition("\n")[0])
        old = re.compile(rf"(^#[^\n]*\n){{3}}{head}\n.*?^}}\n", re.MULTILINE | re.DOTALL)
        changed, count = old.subn(lambda match: task, spec)
        assert count == 1
        self.spec.write_text(changed, encoding="utf-8")


def test_every_step_of_the_guide_does_what_it_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "library_desk", tmp_path / "examples" / "library_desk")
    reader = Reader(tmp_path)
    blocks = BLOCK.findall(GUIDE)
    assert len(blocks) > 12
    for kind, text in blocks:
        reader.follow(kind, text)
