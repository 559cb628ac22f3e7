"""A session with an MCP server, over its standard streams or streamable HTTP.

The package `mcp` wants a session opened and closed in one task, so each has a task of its own;
whoever calls a tool only waits for it. It is imported when a session is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cm2.simulate.backend import SimulationError, ToolFailure
from cm2.simulate.servers import Server, variable

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, Tool

STARTING = 8
"""Sessions that are opened at the same time: a server that is a process takes a core to start."""

OPENING = 60.0
"""Seconds until there must be a session: a server that is a process may import much."""

_PAGES = 100
_WORDS = 300


@dataclass(slots=True)
class Connector:
    """Opens sessions with one server; `folder` is where its command runs."""

    name: str
    server: Server
    folder: Path
    _loop: asyncio.AbstractEventLoop | None = None
    _starting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STARTING))

    async def open(self) -> Session:
        """A session.

        Raises ToolFailure where the server does not answer in time, and SimulationError where the
        package is missing, or a variable that the server needs.
        """
        if find_spec("mcp") is None:
            raise SimulationError(
                f'the backend `mcp "{self.name}"` needs the package mcp; install it with: '
                "pip install 'cm2dsl[mcp]'"
            )
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._starting = loop, asyncio.Semaphore(STARTING)
        async with self._starting:
            session = Session(self)
            await session.started()
            return session

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[Client, Any]]:
        """The package's client, connected, and the file with what the server wrote to stderr."""
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client
        from mcp.client.streamable_http import streamable_http_client

        server = self.server
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            try:
                if server.url is None:
                    assert server.command is not None
                    parameters = StdioServerParameters(
                        command=server.command,
                        args=list(server.args),
                        env=server.environment(),
                        cwd=self.folder,
                    )
                    async with Client(stdio_client(parameters, errors)) as client:
                        yield client, errors
                elif server.key_env is None:
                    async with Client(server.url) as client:
                        yield client, errors
                else:
                    import httpx2

                    bearer = {"Authorization": f"Bearer {variable(server.key_env)}"}
                    timeout = httpx2.Timeout(server.seconds)
                    async with (
                        httpx2.AsyncClient(headers=bearer, timeout=timeout) as http,
                        Client(streamable_http_client(server.url, http_client=http)) as client,
                    ):
                        yield client, errors
            except BaseException as error:
                errors.seek(0)
                said = errors.read().strip()
                if said:
                    error.add_note(said.splitlines()[-1][-_WORDS:])
                raise


class Session:
    """One connection to a server, for one rollout or for all of them."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._live())

    async def started(self) -> None:
        """Wait until there is a connection. Raises ToolFailure where there is none."""
        try:
            async with asyncio.timeout(OPENING):
                await asyncio.shield(self._ready)
        except TimeoutError:
            await self.close()
            raise ToolFailure(f"{self._name}: no session after {OPENING:g} seconds") from None
        except asyncio.CancelledError:
            await self.close()
            raise

    async def tools(self) -> list[Tool]:
        """The server's tools. Raises ToolFailure."""
        client = self._ready.result()
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._within(client.list_tools(cursor=cursor), "the list of its tools")
            found += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """The result of a call, an error of the tool's own too.

        Raises ToolFailure where the server is gone, late or broken, and MCPError where it says that
        the arguments are wrong.
        """
        work = self._ready.result().call_tool(tool, arguments)
        result: CallToolResult = await self._within(work, f"`{tool}`")
        return result

    async def close(self) -> None:
        """End the session; a server that is a process ends with it."""
        self._over.set()
        if not self._ready.done():
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _live(self) -> None:
        try:
            async with self._connector.client() as (client, _):
                self._ready.set_result(client)
                await self._over.wait()
        except BaseException as error:
            if not self._ready.done():
                known = isinstance(error, SimulationError)
                failure = error if known else ToolFailure(f"{self._name}: {self._missing(error)}")
                self._ready.set_exception(failure)
                self._ready.exception()  # it may be that nobody waits any more
            elif isinstance(error, asyncio.CancelledError):
                raise

    def _missing(self, error: BaseException) -> str:
        """Why there is no session."""
        command, first = self._connector.server.command, error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if command is not None and isinstance(first, FileNotFoundError):
            return f"there is no program `{command}` to start"
        return _reason(error)

    async def _within(self, work: Any, what: str) -> Any:
        from mcp import MCPError
        from mcp_types import INVALID_PARAMS

        seconds = self._connector.server.seconds
        gone = asyncio.ensure_future(asyncio.shield(self._task))
        asked = asyncio.ensure_future(work)
        try:
            await asyncio.wait([asked, gone], timeout=seconds, return_when="FIRST_COMPLETED")
            if not asked.done():
                late = f"took longer than {seconds:g} seconds"
                raise ToolFailure(f"{self._name}: {what} {'was cut off' if gone.done() else late}")
            return asked.result()
        except MCPError as error:
            if error.code == INVALID_PARAMS:
                raise
            raise ToolFailure(f"{self._name}: {what}: {_reason(error)}") from error
        except (ToolFailure, asyncio.CancelledError):
            raise
        except Exception as error:  # whatever the package raises of a connection that broke
            raise ToolFailure(f"{self._name}: {what}: {_reason(error)}") from error
        finally:
            for task in (asked, gone):
                task.cancel()

    @property
    def _name(self) -> str:
        return f"the server `{self._connector.name}`"


def _reason(error: BaseException) -> str:
    """What went wrong, in one line: the first of several, and the last that the server wrote."""
    notes = getattr(error, "__notes__", [])
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        notes = [*notes, *getattr(error, "__notes__", [])]
    message = " ".join(str(getattr(error, "message", error)).split())[:_WORDS]
    what = message or type(error).__name__
    return f"{what} ({notes[-1]})" if notes else what
