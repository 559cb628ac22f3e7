"""Somebody who does what a guide says, word for word, in a folder of their own.

What a block of a guide is, is said by the words behind its three backticks:

    console           commands behind `$ `, and all that they print
    (nothing)         a part of what the last command printed, which is not shown under it
    LANG new FILE     a file that is not there yet
    LANG show FILE    a part of a file
    LANG add FILE     what is written at the end of a file, after an empty line
    LANG put FILE     a statement that takes the place of the one with the same first two words, and
                      of the comments above it
    diff FILE         lines that go, lines that come, and lines around them; `@@` between two places
    text dialogue N FILE
                      a line of a dialogue file, as people read it
    sh, LANG          nothing to be done
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cm2dsl.chat import read
from cm2dsl.trajectory import Trajectory, call_text

BLOCK = re.compile(r"^```([^`\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A Reader"), ("EMAIL", "reader@example.org"))
}


class Reader:
    """`hidden` is what the last command printed, if the guide has not shown it."""

    def __init__(self, folder: Path) -> None:
        self.here = folder
        self.printed = ""
        self.hidden = ""

    def follow(self, guide: str) -> int:
        """Do all of it; how many blocks there were. Raises AssertionError where it is not so."""
        blocks = BLOCK.findall(guide)
        for said, text in blocks:
            self._do(said.split(), text)
        assert not self.hidden
        return len(blocks)

    def _do(self, words: list[str], text: str) -> None:
        if words:
            assert not self.hidden, "a command prints what the guide does not show"
        match words:
            case ["console"]:
                self._type(text)
            case []:
                assert text in self.printed, f"not in\n{self.printed}"
                self.hidden = ""
            case ["diff", file]:
                self._change(self.here / file, text)
            case [_, "dialogue", number, file]:
                assert text == "".join(told(list(read(self.here / file))[int(number) - 1]))
            case [_, "new", file]:
                path = self.here / file
                assert not path.exists()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            case [_, "show", file]:
                assert text in (self.here / file).read_text(encoding="utf-8")
            case [_, "add", file]:
                path = self.here / file
                path.write_text(f"{path.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
            case [_, "put", file]:
                self._put(self.here / file, text)
            case _:
                assert len(words) == 1

    def _type(self, text: str) -> None:
        """Run each command; what the guide has below it must be all that it prints."""
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            assert not self.hidden, "a command prints what the guide does not show"
            command, _, expected = part.partition("\n")
            if command.startswith("cd "):
                self.here /= command.removeprefix("cd ")
                continue
            self.printed = run(command, self.here)
            if expected:
                assert self.printed == expected, f"{command} prints\n{self.printed}"
            else:
                self.hidden = self.printed

    def _change(self, path: Path, patch: str) -> None:
        text = path.read_text(encoding="utf-8")
        for place in patch.split("@@\n"):
            lines = place.splitlines(keepends=True)
            old = "".join(line[1:] or "\n" for line in lines if line[0] != "+")
            new = "".join(line[1:] or "\n" for line in lines if line[0] != "-")
            assert text.count(old) == 1
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")

    def _put(self, path: Path, statement: str) -> None:
        text = path.read_text(encoding="utf-8")
        code = re.sub(r"^#.*\n", "", statement, flags=re.MULTILINE)
        head = r"\s+".join(map(re.escape, code.split()[:2]))
        old = re.compile(rf"(^#[^\n]*\n)*^{head}\b.*?^}}\n", re.MULTILINE | re.DOTALL)
        changed, count = old.subn(lambda match: statement, text)
        assert count == 1
        path.write_text(changed, encoding="utf-8")


def run(command: str, folder: Path) -> str:
    """What a command prints, on both channels."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, **GIT, "PATH": path, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    return done.stdout


def told(dialogue: Trajectory) -> Iterator[str]:
    """A dialogue as people read it: a line a message, a call or a result."""
    for turn in dialogue.turns:
        yield f"user    {turn.user}\n"
        for step in turn.steps:
            for call in step.calls:
                yield f"call    {call_text(call)}\n"
                yield f"result  {call.result}\n"
            if step.reply:
                yield f"agent   {step.reply}\n"
