"""What all rollouts of a spec share: schemas, recordings and loaded backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.simulate.backend import Answer, Asked, Backend, SimulationError
from cm2.simulate.errors import ErrorShape
from cm2.simulate.library import Library
from cm2.simulate.python_backend import MEMORY, SECONDS, Module, PythonBackend
from cm2.simulate.replay import Recordings, Replay
from cm2.simulate.tools import Tools
from cm2.simulate.world import World
from cm2.trajectory import Trajectory
from cm2dsl import ir


class Simulator:
    """Opens worlds. `files` is the folder that the backends' files are named from.

    `recordings` are those of all tasks; each world replays only the ones whose `task` is its own
    (`name`, or `name/row-key`). `user_tools` are what a simulated user may call. `seconds` limits
    each call of a Python backend, `memory` (bytes) its process. Such a backend runs only where
    `allow_python` says so, or the user trusts its file (`cm2.simulate.trust`); `origin` is the
    folder in which the user has the files, where `files` is that of a bundle made for this run.

    Raises SimulationError for a backend file that may not run, cannot be loaded or does not fit
    the tools.
    """

    def __init__(
        self,
        tools: Sequence[ir.Tool],
        backends: Sequence[ir.Backend],
        files: Path,
        recordings: Iterable[Trajectory] = (),
        *,
        user_tools: Sequence[ir.Tool] = (),
        allow_python: bool = False,
        origin: Path | None = None,
        seconds: float = SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self._tools = Tools(tools, user_tools)
        self._chain = tuple(backends)
        self._modules = {
            backend.file: Module(
                files / backend.file,
                (*tools, *user_tools),
                name=backend.file,
                origin=(origin or files) / backend.file,
                allow=allow_python,
                seconds=seconds,
                memory=memory,
            )
            for backend in backends
            if isinstance(backend, ir.PythonBackend)
        }
        self._library = Library(recordings, self._tools)

    def world(self, task: str, row: Mapping[str, Any] | None = None, rollout: str = "") -> World:
        """A fresh world for one rollout of the task; `row` is its row's values.

        `rollout` is the rollout's id: a recording of this task with this id is replayed before any
        other one, so that a recorded run is played again as it was.
        """
        recordings = self._library.of(task, rollout)
        errors = self._library.error_shape(task, rollout)
        backends = [self._open(backend, recordings, row, errors) for backend in self._chain]
        return World(self._tools, backends, errors)

    def _open(
        self,
        backend: ir.Backend,
        recordings: Sequence[Recordings],
        row: Mapping[str, Any] | None,
        errors: ErrorShape,
    ) -> Backend:
        if isinstance(backend, ir.Replay):
            return Replay(*recordings)
        if isinstance(backend, ir.PythonBackend):
            return PythonBackend(self._modules[backend.file], row, errors)
        return Unavailable("llm")


class Unavailable:
    """Stands for a backend that this version does not have; harmless until it is asked."""

    in_order = False

    def __init__(self, name: str) -> None:
        self._name = name

    async def answer(self, asked: Asked) -> Answer | None:
        raise SimulationError(
            f"a call of `{asked.tool}` fell through to the `{self._name}` backend, which this "
            "version does not have yet; put a backend that answers before it, or leave it out so "
            "that such calls get an error"
        )

    async def follow(self, asked: Asked, answer: Answer) -> None:
        return None

    async def close(self) -> None:
        return None
