"""A backend's file as functions, and a rollout's state in their hands."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from cm2.sandbox.errors import as_reason

INITIAL = "initial"
LONGEST = 4 << 20
"""Bytes of a result. A policy reads thousands; what is longer is a mistake in the backend."""


class LoadError(Exception):
    """The file cannot be loaded, or does not fit the tools; the message is for its author."""


class BrokenError(Exception):
    """A function gave what is no result; the message says so, and begins with the file's name."""


class Module:
    """A backend's file. `path` is where it is, `name` what it is called in messages.

    `tools` are (name, required arguments, all arguments). Raises LoadError.
    """

    def __init__(
        self,
        path: str,
        name: str,
        code: bytes,
        tools: Sequence[tuple[str, Sequence[str], Sequence[str]]],
    ) -> None:
        self.path = path
        self.name = name
        self.folder = str(Path(path).parent)
        self._module = self._load(code)
        self.initial = self._function(INITIAL)
        self.tools: dict[str, Callable[..., Any]] = {}
        for tool, required, all_of_them in tools:
            function = self._function(tool)
            if function is not None and tool != INITIAL:
                self._check_signature(function, tool, required, all_of_them)
                self.tools[tool] = function

    def _load(self, code: bytes) -> ModuleType:
        """The file as a module. It is not imported: that would write a cache beside it."""
        module = ModuleType("cm2_backend")
        module.__file__ = self.path
        sys.modules[module.__name__] = module  # dataclasses and pickle look their module up
        try:
            exec(compile(code, self.path, "exec"), module.__dict__)
        except BaseException as error:  # the file is the user's: it may raise anything
            reason = as_reason(error, self.path, self.name)
            raise LoadError(f"{reason}; the backend cannot be loaded") from error
        return module

    def _function(self, name: str) -> Callable[..., Any] | None:
        """The function that the file itself defines; what it imports answers no tool."""
        found = getattr(self._module, name, None)
        if inspect.isfunction(found) and found.__module__ == self._module.__name__:
            return found
        return None

    def _check_signature(
        self, function: Callable[..., Any], tool: str, *calls: Sequence[str]
    ) -> None:
        """The function must take a state and every call that the schema lets through."""
        place = f"{self.name}:{function.__code__.co_firstlineno}"
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise LoadError(f"{place}: `{tool}` must be a plain function that returns its result")
        for names in calls:
            try:
                inspect.signature(function).bind(None, **dict.fromkeys(names))
            except TypeError as error:
                raise LoadError(
                    f"{place}: `{tool}` cannot be called with ({', '.join(['state', *names])}), "
                    f"as the schema of the tool has it: {error}"
                ) from error


class State:
    """What one rollout's calls work on. It begins as a copy of what `initial` makes of the row."""

    def __init__(self, module: Module, row: Mapping[str, Any]) -> None:
        self._module = module
        _seed(0)
        # A copy: `initial` may return data that all rollouts share.
        self._state = {} if module.initial is None else copy.deepcopy(module.initial(row))

    def call(self, number: int, tool: str, arguments: Mapping[str, Any], undo: bool) -> str:
        """The result as text, made at once, because it may be a part of the state.

        `number` says the how many-th call of the rollout it is, from 1. Raises what the function
        raises, after taking back what it had changed (where `undo` is set), and BrokenError where
        the result is none.
        """
        _seed(number)
        before = _kept(self._state) if undo else None
        try:
            result = self._module.tools[tool](self._state, **arguments)
        except Exception:
            if before is not None:
                self._state = before()
            raise
        return self._text(tool, result)

    def _text(self, tool: str, result: Any) -> str:
        try:
            text = result if isinstance(result, str) else _dump(result)
            size = len(text.encode())
        except (TypeError, ValueError, RecursionError) as error:
            place = f"{self._module.name}: `{tool}` returned `{type(result).__name__}`"
            raise BrokenError(f"{place}, which is no JSON: {error}") from error
        if size > LONGEST:
            raise BrokenError(
                f"{self._module.name}: `{tool}` returned {size:,} bytes; a result may have "
                f"{LONGEST:,}"
            )
        return text


def _seed(number: int) -> None:
    """Chance, too, depends on nothing but the calls of the rollout so far."""
    random.seed(number)


def _kept(state: Any) -> Callable[[], Any]:
    """What brings the state back as it is now. Pickle is many times faster than a copy."""
    try:
        text = pickle.dumps(state, pickle.HIGHEST_PROTOCOL)
    except Exception:  # it holds what cannot be pickled, such as a lambda
        copied = copy.deepcopy(state)
        return lambda: copied
    return lambda: pickle.loads(text)


def _dump(value: Any) -> str:
    """Compact JSON, as `cm2.simulate.backend.dump` makes it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
