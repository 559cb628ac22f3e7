"""The program of a backend's process: it reads requests and answers them, one after the other.

A message is four bytes of length (big-endian) and a JSON object. The first request loads the file:
`code`, `path`, `name`, `tools`, `memory`, `seconds`. Every other is a call in a world: `world`,
its `number` there, `tool`, `arguments`, `undo`; with `row`, the world is opened first, and `past`
are calls to make again in it, each with its number and the text that it gave. `drop` are worlds
that are over. An answer is `text`, `error` (what the tool says, with `why`) or `broken` (why), and
what was `printed` meanwhile.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any, TypeVar

from cm2.sandbox.errors import as_answer, as_reason
from cm2.sandbox.isolation import die_with, isolate
from cm2.sandbox.module import INITIAL, BrokenError, LoadError, Module, State

T = TypeVar("T")
PRINTED = 4000
"""Characters that are kept of what is printed during one request."""


class Overrun(BaseException):
    """A function is out of time. No Exception, so that it is not caught."""


class Deadline:
    """Ends what takes too long, by an alarm that goes off again and again until it ends.

    Where the platform has no such alarm, the other end of the pipes ends the process.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False
        self._has_alarm = hasattr(signal, "setitimer")
        if self._has_alarm:
            signal.signal(signal.SIGALRM, self._ring)

    def run(self, function: Callable[[], T]) -> T:
        """What the function returns. Raises Overrun, and what the function raises."""
        if not self._has_alarm:
            return function()
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, self._seconds, 0.1)
        try:
            return function()
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            raise Overrun


class Printed(io.TextIOBase):
    """Stands for stdout and stderr: the user's prints must not get among the messages."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = PRINTED

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._left > 0:
            self._parts.append(text[: self._left])
            self._left -= len(text)
        return len(text)

    def take(self) -> str:
        text, self._parts = "".join(self._parts), []
        self._left = PRINTED
        return text.encode("utf-8", "backslashreplace").decode()


class Program:
    """The loaded file and the states of the worlds that are open."""

    def __init__(self, module: Module, seconds: float) -> None:
        self._module = module
        self._seconds = seconds
        self._deadline = Deadline(seconds)
        self._states: dict[int, State] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        for world in request["drop"]:
            self._states.pop(world, None)
        world, tool = request["world"], request["tool"]
        try:
            if "row" in request:
                self._open(world, request["row"], request["past"])
            state = self._states[world]
            number, arguments, undo = request["number"], request["arguments"], request["undo"]
            return {"text": self._timed(tool, lambda: state.call(number, tool, arguments, undo))}
        except _ToolError as found:
            return {"error": found.text, "why": found.why}
        except _BrokenError as found:
            self._states.pop(world, None)
            return {"broken": str(found), "again": found.fatal}

    def _open(self, world: int, row: Mapping[str, Any], past: list[Any]) -> None:
        try:
            state = self._timed(INITIAL, lambda: State(self._module, row))
            for number, tool, arguments, text in past:
                again = partial(state.call, number, tool, arguments, False)
                if self._timed(tool, again) != text:
                    raise _BrokenError(
                        f"{self._module.name}: `{tool}` gave another result when its call was made "
                        "again after the process had ended; the backend is not deterministic"
                    )
        except _ToolError as error:
            raise _BrokenError(error.why) from error
        self._states[world] = state

    def _timed(self, name: str, function: Callable[[], T]) -> T:
        module = self._module

        def described() -> T:
            try:
                return function()
            except BrokenError as error:
                raise _BrokenError(str(error)) from error
            except Exception as error:
                if isinstance(error, MemoryError):
                    raise
                why = f"{as_reason(error, module.path, module.name)} (in `{name}`)"
                raise _ToolError(as_answer(error, module.folder), why) from error

        try:
            return self._deadline.run(described)
        except (_ToolError, _BrokenError):
            raise
        except Overrun:
            raise _BrokenError(
                f"{module.name}: `{name}` took longer than {self._seconds:g} seconds"
            ) from None
        except BaseException as error:
            reason = f"{as_reason(error, module.path, module.name)} (in `{name}`)"
            raise _BrokenError(reason, fatal=isinstance(error, MemoryError)) from error


class _ToolError(Exception):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(why)
        self.text, self.why = text, why


class _BrokenError(Exception):
    """`fatal`: the process had better be ended too."""

    def __init__(self, why: str, fatal: bool = False) -> None:
        super().__init__(why)
        self.fatal = fatal


def main(life: int | None) -> None:
    """Serve until there are no more requests, or the other end of the pipe `life` is closed."""
    if life is not None:
        die_with(life)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    faulthandler.enable(sys.__stderr__ or 2)
    printed = Printed()
    sys.stdout = sys.stderr = printed
    program: Program | None = None
    while (request := _read(requests)) is not None:
        if program is None:
            program, answer = _start(request)
        else:
            answer = program.answer(request)
        if text := printed.take():
            answer["printed"] = text
        _write(answers, answer)


def _start(request: Mapping[str, Any]) -> tuple[Program | None, dict[str, Any]]:
    undone = isolate(request["memory"])
    try:
        module = Module(
            request["path"],
            request["name"],
            request["code"].encode("latin-1"),
            request["tools"],
        )
    except LoadError as error:
        return None, {"broken": str(error)}
    return Program(module, request["seconds"]), {"tools": list(module.tools), "undone": undone}


def _read(file: Any) -> dict[str, Any] | None:
    head = file.read(4)
    if len(head) < 4:
        return None
    request: dict[str, Any] = json.loads(file.read(int.from_bytes(head, "big")))
    return request


def _write(descriptor: int, answer: Mapping[str, Any]) -> None:
    text = json.dumps(answer).encode()
    data = memoryview(len(text).to_bytes(4, "big") + text)
    while data:
        data = data[os.write(descriptor, data) :]
