"""Simulated tools as an MCP server: any agent can be tried against them.

Every session has a world of its own. Sessions take the instances of the tasks in turn; each answer
says which instance it is of, who gave it and why, in its `_meta`. Over HTTP a session is what the
protocol's `initialize` opens: requests that stand alone, which later versions of the protocol have
instead, would share one world or lose theirs, so such clients are told to open a session.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm2.bundle import Bundle
from cm2.recordings import with_answers, write_recordings
from cm2.simulate import Answer, SimulationError, Simulator, ToolFailure, World
from cm2.trajectory import Call, Step, Trajectory, Turn, has_failed
from cm2dsl import ir
from cm2dsl.identity import __version__
from cm2dsl.reward.instance import Instance

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server import Server

_SAVED = 1.0
"""Seconds after a call when what was called is written."""


@dataclass
class Session:
    """One client's world. Its calls are answered one after the other, each as a message."""

    number: int
    instance: Instance
    world: World
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        """The answer to a call. Raises ToolFailure and SimulationError, as a world does."""
        async with self.turn:
            answer = await self.world.call(tool, arguments)
            id = f"c{len(self.calls)}"
            text = json.dumps(arguments, ensure_ascii=False)
            call = Call(id, tool, arguments, text, answer.text, failed=answer.failed)
            self.calls.append(call)
            self.answers[id] = answer
            return answer

    def recording(self) -> Trajectory:
        """What was called and answered, as a dialogue: the user's first words, a step a call."""
        turns, row = self.instance.task.turns, self.instance.row
        user = ir.fill(turns[0].user, row) if turns else ""
        steps = tuple(Step(calls=(call,)) for call in self.calls)
        dialogue = Trajectory(f"session-{self.number}", self.instance.id, (Turn(user, steps),))
        return with_answers(dialogue, self.answers)


class ToolServer:
    """The tools of a spec, for clients to call.

    `instances` are those that sessions take, in turn. `record` is a file for what they call, in the
    form of recordings (docs/trajectories.md).
    """

    def __init__(
        self,
        bundle: Bundle,
        simulator: Simulator,
        instances: Sequence[Instance],
        record: Path | None = None,
    ) -> None:
        self._bundle = bundle
        self._simulator = simulator
        self._instances = instances
        self._record = record
        self._numbers = count(1)
        self._sessions: dict[str, Session] = {}
        self._saving: asyncio.TimerHandle | None = None

    def here(self) -> Server[Any]:
        """The server of the package, for one client: over any transport, or in this process."""
        return self._server(sessions=False)

    async def serve_stdio(self) -> None:
        """Serve the one client at the standard streams until it leaves."""
        from mcp.server.stdio import stdio_server

        server = self.here()
        async with stdio_server() as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())

    def http_app(self, host: str) -> Any:
        """An ASGI application that serves any number of clients at /mcp."""
        return self._server(sessions=True).streamable_http_app(host=host)

    def _server(self, *, sessions: bool) -> Server[Any]:
        """`sessions`: clients must open one, by which they are told apart."""
        import mcp_types as types
        from mcp.server import Server
        from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

        spec = self._bundle.spec

        async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
            return types.ListToolsResult(tools=[_described(tool) for tool in spec.tools])

        async def call_tool(
            context: Any, params: types.CallToolRequestParams
        ) -> types.CallToolResult:
            session = self._session(_session_id(context) if sessions else "")
            return await self._answered(session, params.name, params.arguments or {})

        async def discover(context: Any, params: Any) -> types.DiscoverResult:
            return types.DiscoverResult(
                supported_versions=list(HANDSHAKE_PROTOCOL_VERSIONS),
                capabilities=server.get_capabilities(),
                instructions=server.instructions,
            )

        server: Server[Any] = Server(
            spec.domain,
            version=__version__,
            title=spec.title,
            instructions=spec.system or None,
            lifespan=self._lifespan,
            on_list_tools=list_tools,
            on_call_tool=call_tool,
        )
        if sessions:
            server.add_request_handler("server/discover", types.RequestParams, discover)
        return server

    @asynccontextmanager
    async def _lifespan(self, server: Any) -> AsyncIterator[dict[str, Any]]:
        try:
            yield {}
        finally:
            self._write()
            for session in self._sessions.values():
                await session.world.close()

    def _session(self, id: str) -> Session:
        if id not in self._sessions:
            number = next(self._numbers)
            instance = self._instances[(number - 1) % len(self._instances)]
            values = instance.row.values if instance.row is not None else None
            world = self._simulator.world(instance.id, values)
            self._sessions[id] = Session(number, instance, world)
        return self._sessions[id]

    async def _answered(
        self, session: Session, tool: str, arguments: dict[str, Any]
    ) -> types.CallToolResult:
        """Raises MCPError where the world broke: that is no error of the tool."""
        import mcp_types as types
        from mcp import MCPError

        try:
            answer = await session.call(tool, arguments)
        except (ToolFailure, SimulationError) as broke:
            raise MCPError(types.INTERNAL_ERROR, f"the simulated world broke: {broke}") from broke
        self._save()
        failed = has_failed(answer.text, answer.failed)
        told = {"cm2/task": session.instance.id, "cm2/source": answer.source}
        result = types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.text)],
            structured_content=None if failed else self._structured(tool, answer.text),
            is_error=failed,
        )
        result.meta = told | ({"cm2/why": answer.why} if answer.why else {})
        return result

    def _structured(self, tool: str, text: str) -> Any:
        """The result as JSON, where the tool says that its results have a schema."""
        if not any(one.name == tool and _output(one) for one in self._bundle.spec.tools):
            return None
        try:
            return json.loads(text)
        except ValueError:
            return None

    def _save(self) -> None:
        """Write the recordings soon: not for each call, of which there may be many at once."""
        if self._record is not None and self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(_SAVED, self._write)

    def _write(self) -> None:
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        if self._record is not None:
            write_recordings(self._record, [one.recording() for one in self._sessions.values()])


def _described(tool: ir.Tool) -> types.Tool:
    import mcp_types as types

    return types.Tool(
        name=tool.name,
        description=tool.description or None,
        input_schema={"type": "object", **tool.parameters},
        output_schema=_output(tool),
        annotations=types.ToolAnnotations(read_only_hint=tool.effect in ("read", "generic"))
        if tool.effect
        else None,
    )


def _output(tool: ir.Tool) -> dict[str, Any] | None:
    """The schema of results, where it is of an object: older clients know no other."""
    returns = tool.returns
    return returns if returns is not None and returns.get("type") == "object" else None


def _session_id(context: Any) -> str:
    """What the transport tells clients apart by. Raises MCPError where there is nothing."""
    import mcp_types as types
    from mcp import MCPError
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

    id = context.request.headers.get("mcp-session-id") if context.request is not None else None
    if id is None:
        supported = {"supported": list(HANDSHAKE_PROTOCOL_VERSIONS)}
        raise MCPError(
            types.UNSUPPORTED_PROTOCOL_VERSION,
            "each session has a world of its own: open one with `initialize`",
            {**supported, "requested": context.protocol_version},
        )
    return str(id)
