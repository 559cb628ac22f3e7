"""What all rollouts of a spec share: schemas, recordings and loaded backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.judge.asking import Asker
from cm2.simulate.backend import Answer, Asked, Backend, SimulationError
from cm2.simulate.errors import ErrorShape
from cm2.simulate.library import Library
from cm2.simulate.llm_backend import Actor, LLMBackend
from cm2.simulate.mcp_backend import MCPBackend, RealTools, see_answered
from cm2.simulate.mcp_session import Connector
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
    `llm` is the model of the backend of that name: without one, a call that gets to it raises
    SimulationError. `servers` are those that the backends `mcp` name; the same holds for one that
    is missing. `examples` are the recordings that it is shown calls of, all without it.

    Raises SimulationError for a server that cannot be reached or has other tools, a backend file
    that may not run, cannot be loaded or does not fit the tools, and for a schema of results that
    no answer can be held to.
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
        llm: Asker | None = None,
        servers: Mapping[str, Connector] | None = None,
        examples: Iterable[Trajectory] | None = None,
    ) -> None:
        recordings = list(recordings)
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
        self._servers = {
            backend.server: RealTools(servers[backend.server], (*tools, *user_tools))
            for backend in backends
            if isinstance(backend, ir.MCPBackend) and servers and backend.server in servers
        }
        self._see_answered((*tools, *user_tools))
        self._library = Library(recordings, self._tools)
        self._actor: Actor | None = None
        if llm is not None and any(isinstance(backend, ir.LLMBackend) for backend in backends):
            shown = recordings if examples is None else examples
            self._actor = Actor(llm, tools, user_tools, self._tools, shown)

    def world(self, task: str, row: Mapping[str, Any] | None = None, rollout: str = "") -> World:
        """A fresh world for one rollout of the task; `row` is its row's values.

        `rollout` is the rollout's id: a recording of this task with this id is replayed before any
        other one, so that a recorded run is played again as it was.
        """
        recordings = self._library.of(task, rollout)
        errors = self._library.error_shape(task, rollout)
        backends = [self._open(backend, task, recordings, row, errors) for backend in self._chain]
        return World(self._tools, backends, errors)

    def _open(
        self,
        backend: ir.Backend,
        task: str,
        recordings: Sequence[Recordings],
        row: Mapping[str, Any] | None,
        errors: ErrorShape,
    ) -> Backend:
        if isinstance(backend, ir.Replay):
            return Replay(*recordings)
        if isinstance(backend, ir.PythonBackend):
            return PythonBackend(self._modules[backend.file], row, errors)
        if isinstance(backend, ir.LLMBackend) and self._actor is not None:
            return LLMBackend(self._actor, task, backend.examples, errors)
        if isinstance(backend, ir.MCPBackend) and backend.server in self._servers:
            return MCPBackend(self._servers[backend.server], errors)
        return Unplayed(backend)

    def _see_answered(self, tools: Sequence[ir.Tool]) -> None:
        """Where servers answer, that somebody answers each tool; a model answers all."""
        named = [backend for backend in self._chain if isinstance(backend, ir.MCPBackend)]
        played = any(isinstance(backend, ir.LLMBackend) for backend in self._chain)
        if not played and len(named) == len(self._servers):
            others = {name for module in self._modules.values() for name in module.tools}
            see_answered(tools, [*self._servers.values()], others)


class Unplayed:
    """Stands for a model or a server that nobody named; harmless until it is asked."""

    in_order = False

    def __init__(self, backend: ir.Backend) -> None:
        self._missing = "`llm` backend, and no model plays it; name one in the table [llm]"
        if isinstance(backend, ir.MCPBackend):
            table = f"[mcp.{backend.server}]"
            self._missing = f"`mcp` backend, and nothing describes its server; do so in {table}"

    async def answer(self, asked: Asked) -> Answer | None:
        raise SimulationError(
            f"a call of `{asked.tool}` fell through to the {self._missing} of a file for --world"
        )

    async def follow(self, asked: Asked, answer: Answer) -> None:
        return None

    async def close(self) -> None:
        return None
