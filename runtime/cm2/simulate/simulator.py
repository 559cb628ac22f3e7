"""What all rollouts of a spec share: schemas, recordings and loaded backends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.simulate.arguments import Schema
from cm2.simulate.backend import Answer, Asked, Backend, Effect, SimulationError
from cm2.simulate.python_backend import Module, PythonBackend
from cm2.simulate.replay import Recordings, Replay
from cm2.simulate.world import World
from cm2.trajectory import Trajectory
from cm2dsl import ir

SECONDS = 5.0


class Simulator:
    """Opens worlds. `files` is the folder that the backends' files are named from.

    `recordings` are those of all tasks; each world replays only the ones whose `task` is its own
    (`name`, or `name/row-key`). `seconds` limits each call of a Python backend.

    Raises SimulationError for a backend file that cannot be loaded or does not fit the tools.
    """

    def __init__(
        self,
        tools: Sequence[ir.Tool],
        backends: Sequence[ir.Backend],
        files: Path,
        recordings: Iterable[Trajectory] = (),
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._schemas = {tool.name: Schema(tool) for tool in tools}
        self._effects: dict[str, Effect] = {tool.name: tool.effect for tool in tools}
        self._chain = tuple(backends)
        self._seconds = seconds
        self._modules = {
            backend.file: Module(files / backend.file, tools)
            for backend in backends
            if isinstance(backend, ir.PythonBackend)
        }
        by_task: dict[str, list[Trajectory]] = defaultdict(list)
        for trajectory in recordings:
            by_task[trajectory.task].append(trajectory)
        self._recordings = {
            task: Recordings(found, self._effects) for task, found in by_task.items()
        }
        self._none = Recordings((), self._effects)

    def world(self, task: str, row: Mapping[str, Any] | None = None) -> World:
        """A fresh world for one rollout of the task; `row` is its row's values."""
        backends = [self._open(backend, task, row) for backend in self._chain]
        return World(self._schemas, self._effects, backends)

    def _open(self, backend: ir.Backend, task: str, row: Mapping[str, Any] | None) -> Backend:
        if isinstance(backend, ir.Replay):
            return Replay(self._recordings.get(task, self._none))
        if isinstance(backend, ir.PythonBackend):
            return PythonBackend(self._modules[backend.file], row, self._seconds)
        return Unavailable("llm")


class Unavailable:
    """Stands for a backend that this version does not have; harmless until it is asked."""

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
