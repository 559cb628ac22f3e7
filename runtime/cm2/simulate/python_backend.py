"""The `python` backend: plain functions over a state, in a process of their own.

A backend is one Python file. `initial(row)` (optional) makes the state that a rollout starts from,
out of the task's row; a function with a tool's name, `tool(state, **arguments)`, answers that tool.
What it returns is the result: text as it is, anything else as JSON. An exception is an error of the
tool, which the agent reads. What breaks the backend itself (a call without an end, a crash, a
result that is no JSON) masks the rollout, and no other: where the process had to be ended, the
other rollouts' states are made again in a new one, out of their own calls.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from cm2.simulate.arguments import Schema
from cm2.simulate.backend import Answer, Asked, Passed, SimulationError, ToolFailure
from cm2.simulate.errors import ErrorShape, error
from cm2.simulate.process import Ended, Process
from cm2.simulate.trust import permit
from cm2.trajectory import has_failed
from cm2dsl import ir

SECONDS = 5.0
MEMORY = 2 << 30
"""Bytes of address space of a backend's process, with the states of all rollouts in it."""

_LOADING = 60.0
_GRACE = 1.0
"""Seconds that a function has to react when it is interrupted, before its process is ended."""
_PRINTED = 20_000
"""Characters of a backend's prints that a run shows."""

_log = logging.getLogger(__name__)


class Module:
    """A backend file and its process, which all rollouts share; none sees another's state.

    `name` is what the spec calls the file, and `origin` where the user has it (`path` may be a copy
    in a bundle). A call may take `seconds`, the process `memory` bytes. Calls of different rollouts
    are answered one after the other, in the order in which they came.

    Raises SimulationError where nobody said that the file may run (`allow`, or the user's list of
    trusted files), it cannot be loaded, or a function of it does not take its tool's arguments.
    """

    def __init__(
        self,
        path: Path,
        tools: Sequence[ir.Tool],
        *,
        name: str | None = None,
        origin: Path | None = None,
        allow: bool = False,
        seconds: float = SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self.name = name or path.name
        self.seconds = seconds
        try:
            code = path.read_bytes()
        except OSError as missing:
            gone = isinstance(missing, FileNotFoundError)
            reason = "there is no such file" if gone else f"{missing.strerror}".lower()
            raise SimulationError(f"{origin or path}: {reason}") from missing
        if not allow:
            permit(origin or path, code)
        self._path = str(path.resolve())
        self._load = {
            "path": self._path,
            "name": self.name,
            "code": code.decode("latin-1"),
            "tools": [_call_forms(tool) for tool in tools],
            "seconds": seconds,
            "memory": memory,
        }
        self._worlds = count()
        self._over: list[int] = []
        self._printed = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: Process | None = None
        self.starts = 0
        # In a thread: the one who opens the spec may be in an event loop.
        with ThreadPoolExecutor(1) as apart:
            loaded = apart.submit(asyncio.run, self._start()).result()
        if "broken" in loaded:
            raise SimulationError(loaded["broken"])
        self.tools = frozenset(loaded["tools"])
        for undone in loaded["undone"]:
            _log.warning("%s runs in a process of its own, but %s", self.name, undone)

    def open(self, owner: object) -> int:
        """The number of a new world; what it holds is let go of with its owner."""
        world = next(self._worlds)
        weakref.finalize(owner, self._over.append, world).atexit = False
        return world

    def forget(self, world: int) -> None:
        """The world is over."""
        self._over.append(world)

    def turn(self) -> asyncio.Lock:
        """Who holds it may ask. Runs play in one event loop after another, and a lock is of one."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock

    async def ready(self) -> int:
        """The number of the process that is asked now; it is started where there is none."""
        if self._process is None or not self._process.running:
            loaded = await self._start()
            if "broken" in loaded:
                raise ToolFailure(f"{loaded['broken']}, though it could be before")
        return self.starts

    async def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to a call. Raises ToolFailure where its function or the process breaks."""
        assert self._process is not None
        over = self._over[:]
        del self._over[: len(over)]
        tool = request["tool"]
        try:
            answer = await self._process.ask({**request, "drop": over}, seconds + _GRACE)
        except TimeoutError as late:
            raise ToolFailure(
                f"{self.name}: `{tool}` took longer than {self.seconds:g} seconds, and could not "
                "be interrupted"
            ) from late
        except Ended as ended:
            raise ToolFailure(self._how(f"the process of `{tool}`", ended)) from ended
        self._show(answer)
        if "broken" in answer:
            if answer["again"]:
                self._process.close()
            raise ToolFailure(answer["broken"])
        return answer

    def close(self) -> None:
        """End the process. It also ends with this object, and with the program."""
        if self._process is not None:
            self._process.close()

    async def _start(self) -> dict[str, Any]:
        self._process = Process()
        self.starts += 1
        self._over.clear()
        try:
            loaded = await self._process.ask(self._load, _LOADING)
        except TimeoutError:
            loaded = {"broken": f"{self.name}: it took longer than {_LOADING:g} seconds to load"}
        except Ended as ended:
            loaded = {"broken": self._how("the process that loads it", ended)}
        if self.starts == 1:
            self._show(loaded)
        if "broken" in loaded:
            self._process.close()
        return loaded

    def _how(self, process: str, ended: Ended) -> str:
        """How the process ended, with the line of the file that it was in, or its last words."""
        line = re.search(rf'File "{re.escape(self._path)}", line (\d+)', ended.said)
        place = f"{self.name}:{line[1]}" if line else self.name
        words = "" if line or not ended.said else f": {ended.said.splitlines()[-1]}"
        return f"{place}: {process} {ended}{words}"

    def _show(self, answer: Mapping[str, Any]) -> None:
        text = answer.get("printed", "").rstrip()
        if not text or self._printed > _PRINTED:
            return
        self._printed += len(text)
        _log.warning("%s printed: %s", self.name, text)
        if self._printed > _PRINTED:
            _log.warning("%s: what else it prints is not shown", self.name)


class PythonBackend:
    """One rollout's world in a module's process."""

    in_order = True  # one state: what works on it works alone

    def __init__(
        self, module: Module, row: Mapping[str, Any] | None, errors: ErrorShape = "object"
    ) -> None:
        self._module = module
        self._row = dict(row or {})
        self._errors: ErrorShape = errors
        self._world = module.open(self)
        self._start = 0
        self._calls = 0
        self._past: list[tuple[int, str, Mapping[str, Any], str]] = []
        self._spent = 0.0
        self._broken = ""

    async def answer(self, asked: Asked) -> Answer | Passed:
        if asked.tool not in self._module.tools:
            return Passed(f"python: {self._module.name} has no `{asked.tool}`")
        found = await self._call(asked)
        if "error" in found:
            return Answer(error(found["error"], self._errors), "python", found["why"], failed=True)
        return Answer(found["text"], "python", f"`{asked.tool}` of {self._module.name}")

    async def follow(self, asked: Asked, answer: Answer) -> None:
        """Do what an earlier backend answered for, unless the tool only reads, or it failed."""
        if asked.effect in ("read", "generic") or has_failed(answer.text, answer.failed):
            return
        if asked.tool in self._module.tools:
            await self._call(asked)

    async def close(self) -> None:
        self._module.forget(self._world)
        self._start = 0

    async def _call(self, asked: Asked) -> dict[str, Any]:
        async with self._module.turn():
            if self._broken:
                raise ToolFailure(self._broken)
            try:
                return await self._ask(asked)
            except ToolFailure as failure:
                self._broken = str(failure)
                raise

    async def _ask(self, asked: Asked) -> dict[str, Any]:
        """Ask the process; in one that does not know this world yet, open it first."""
        start = await self._module.ready()
        limit = self._module.seconds
        number = self._calls + 1
        request: dict[str, Any] = {
            "world": self._world,
            "number": number,
            "tool": asked.tool,
            "arguments": asked.arguments,
            "undo": asked.effect not in ("read", "generic"),
        }
        if start != self._start:
            request |= {"row": self._row, "past": self._past}
            # What has been done before should not take twice as long when it is done again.
            limit += self._module.seconds + 2 * self._spent
        began = time.monotonic()
        answer = await self._module.ask(request, limit)
        self._start, self._calls = start, number
        self._spent += time.monotonic() - began
        if "text" in answer:
            self._past.append((number, asked.tool, asked.arguments, answer["text"]))
        return answer


def _call_forms(tool: ir.Tool) -> tuple[str, list[str], list[str]]:
    """The tool, the arguments of its shortest call, and of its longest."""
    return tool.name, Schema(tool).always, list(tool.parameters.get("properties", {}))
