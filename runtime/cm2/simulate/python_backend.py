"""The `python` backend: plain functions over a state, one copy of the state per rollout.

A backend is one Python file. `initial(row)` (optional) makes the state that a rollout starts from,
out of the task's row; a function with a tool's name, `tool(state, **arguments)`, answers that tool.
What it returns is the result: text as it is, anything else as JSON. ValueError is an answer too:
`{"error": message}`. Any other exception means that the backend is broken, and masks the rollout.

The file is code from the user's own spec and runs with the user's rights.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from cm2.simulate.backend import (
    Answer,
    Asked,
    SimulationError,
    ToolFailure,
    dump,
    error_text,
)
from cm2.simulate.limited import limited
from cm2dsl import ir

INITIAL = "initial"


class Module:
    """A backend file, loaded once; rollouts share its functions and none of its state.

    Raises SimulationError where the file cannot be loaded, or a function of it does not take its
    tool's arguments.
    """

    def __init__(self, path: Path, tools: Sequence[ir.Tool]) -> None:
        self.path = path
        self._module = _load(path)
        self.initial = self._function(INITIAL)
        self.tools: dict[str, Callable[..., Any]] = {}
        for tool in tools:
            function = self._function(tool.name)
            if function is not None and tool.name != INITIAL:
                _check_signature(path, function, tool)
                self.tools[tool.name] = function

    def _function(self, name: str) -> Callable[..., Any] | None:
        """The function that the file itself defines; what it imports answers no tool."""
        found = getattr(self._module, name, None)
        if inspect.isfunction(found) and found.__module__ == self._module.__name__:
            return found
        return None


class PythonBackend:
    """One rollout's state, and the module that works on it; a call may take `seconds`."""

    in_order = True  # one state: what works on it works alone

    def __init__(self, module: Module, row: Mapping[str, Any] | None, seconds: float) -> None:
        self._module = module
        self._row = dict(row or {})
        self._seconds = seconds
        self._state: Any = None
        self._started = False

    async def answer(self, asked: Asked) -> Answer | None:
        function = self._module.tools.get(asked.tool)
        if function is None:
            return None
        await self._start()
        return Answer(
            await self._run(asked.tool, lambda: _answer(function, self._state, asked.arguments)),
            "python",
            f"`{asked.tool}` of {self._module.path.name}",
        )

    async def follow(self, asked: Asked, answer: Answer) -> None:
        """Do what an earlier backend answered for, unless the tool only reads."""
        if asked.effect not in ("read", "generic"):
            await self.answer(asked)

    async def close(self) -> None:
        return None

    async def _start(self) -> None:
        """Make the state, before the first call. It is copied: `initial` may return shared data."""
        if self._started:
            return
        make = self._module.initial
        if make is None:
            self._state = {}
        else:
            row = copy.deepcopy(self._row)
            self._state = await self._run(INITIAL, lambda: copy.deepcopy(make(row)))
        self._started = True

    async def _run(self, name: str, function: Callable[[], Any]) -> Any:
        try:
            value, error = await limited(function, self._seconds)
        except TimeoutError as late:
            raise ToolFailure(
                f"{self._module.path}: `{name}` took longer than {self._seconds:g} seconds"
            ) from late
        if error is not None:
            raise ToolFailure(_describe(self._module.path, name, error)) from error
        return value


def _answer(function: Callable[..., Any], state: Any, arguments: Mapping[str, Any]) -> str:
    """The result as text; made at once, because it may be a part of the state."""
    try:
        result = function(state, **arguments)
    except ValueError as error:
        return error_text(str(error))
    return result if isinstance(result, str) else dump(result)


def _load(path: Path) -> ModuleType:
    """The file as a module. It is not imported: that would write a cache beside it."""
    name = f"cm2_backend_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except FileNotFoundError as error:
        raise SimulationError(f"{path}: there is no such file") from error
    except Exception as error:  # the file is the user's: it may raise anything
        raise SimulationError(_describe(path, "the file", error)) from error
    return module


def _check_signature(path: Path, function: Callable[..., Any], tool: ir.Tool) -> None:
    """The function must take a state and every call that the schema lets through."""
    properties = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", [])
    signature = inspect.signature(function)
    for names in (required, properties):
        try:
            signature.bind(None, **dict.fromkeys(names))
        except TypeError as error:
            raise SimulationError(
                f"{path}:{function.__code__.co_firstlineno}: `{tool.name}` cannot be called with "
                f"(state, {', '.join(names)}), as the schema of the tool has it: {error}"
            ) from error


def _describe(path: Path, name: str, error: BaseException) -> str:
    """Which line of the file raised what."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    place = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{place}: `{name}` raised {type(error).__name__}: {error}"
