"""The `mcp` backend: the real tools of an MCP server.

Each rollout has a session of its own, opened at its first call: a server that keeps something
between calls (and a server that is a process always may) keeps it for one rollout. Where it does
not, the settings say that one session is `shared`. A result is text, an error that the tool reports
is an error of the tool, and whatever breaks between here and there masks the rollout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from cm2.simulate.backend import Answer, Asked, Passed, SimulationError, ToolFailure, dump
from cm2.simulate.errors import ErrorShape, error
from cm2.simulate.mcp_fit import misfits
from cm2.simulate.mcp_session import Connector, Session
from cm2.trajectory import has_failed
from cm2dsl import ir
from cm2dsl.diagnostic import suggest

if TYPE_CHECKING:
    from mcp_types import CallToolResult, Tool

_BLOCK = "content that is no text"


class RealTools:
    """One server, for all rollouts of a run.

    `answers` are the tools of the spec that it has. Raises SimulationError where it cannot be
    reached, and where it wants calls that the spec's schemas do not lead to.
    """

    def __init__(self, connector: Connector, tools: Sequence[ir.Tool]) -> None:
        self.name = connector.name
        self.server = connector.server
        self._connector = connector
        self._shared: Session | None = None
        self._users = 0
        self._opening = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        # In a thread: the one who opens the spec may be in an event loop.
        with ThreadPoolExecutor(1) as apart:
            try:
                listed = apart.submit(asyncio.run, self._listed()).result()
            except ToolFailure as failure:
                raise SimulationError(str(failure)) from failure
        self.has = {tool.name: tool.input_schema for tool in listed}
        self.answers = frozenset(
            tool.name for tool in tools if self.server.name_of(tool.name) in self.has
        )
        self._see_fit(tools)

    async def session(self) -> Session:
        """A session for one more rollout."""
        if not self.server.shared:
            return await self._connector.open()
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # of a play that was interrupted: it went with its loop
            self._loop, self._opening, self._shared, self._users = loop, asyncio.Lock(), None, 0
        async with self._opening:
            if self._shared is None:
                self._shared = await self._connector.open()
            self._users += 1
            return self._shared

    async def leave(self, session: Session) -> None:
        """The rollout is over; a shared session ends with the last one that uses it."""
        if session is not self._shared:
            await session.close()
            return
        self._users -= 1
        if self._users == 0:
            self._shared = None
            await session.close()

    async def _listed(self) -> list[Tool]:
        session = await self._connector.open()
        try:
            return await session.tools()
        finally:
            await session.close()

    def _see_fit(self, tools: Sequence[ir.Tool]) -> None:
        for name in self.server.tools:
            if all(name != tool.name for tool in tools):
                near = suggest(name, [tool.name for tool in tools])
                where = f"[mcp.{self.name}.tools]"
                raise SimulationError(f"{where}: the spec has no tool `{name}`; {near}")
        faults = [
            f"  {tool.name}: {fault}"
            for tool in tools
            if tool.name in self.answers
            for fault in misfits(tool, self.has[self.server.name_of(tool.name)])
        ]
        if faults:
            raise SimulationError(
                f"the tools of the server `{self.name}` are not those of the spec:\n"
                + "\n".join(faults)
            )


def see_answered(
    tools: Sequence[ir.Tool], servers: Sequence[RealTools], others: Container[str]
) -> None:
    """Raises SimulationError for tools that no server has, and that are not among `others`."""
    has = {name for server in servers for name in server.answers}
    lacks = [tool.name for tool in tools if tool.name not in has and tool.name not in others]
    if not servers or not lacks:
        return
    first = servers[0]
    known = [name for server in servers for name in server.has]
    near = suggest(first.server.name_of(lacks[0]), known) if known else "it has no tools"
    who = ", ".join(f"`{server.name}`" for server in servers)
    raise SimulationError(
        f"no tool of the server {who} is named {', '.join(f'`{name}`' for name in lacks)}; {near}. "
        f"Where one has another name there, write it into [mcp.{first.name}.tools]"
    )


class MCPBackend:
    """One rollout's session with a server."""

    in_order = False

    def __init__(self, tools: RealTools, errors: ErrorShape = "object") -> None:
        self._tools = tools
        self._errors: ErrorShape = errors
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def answer(self, asked: Asked) -> Answer | Passed | None:
        if asked.tool not in self._tools.answers:
            return Passed(f"mcp: `{self._tools.name}` has no `{asked.tool}`")
        return await self._call(asked)

    async def follow(self, asked: Asked, answer: Answer) -> None:
        """Do what an earlier backend answered for, unless the tool only reads, or it failed."""
        if asked.effect in ("read", "generic") or has_failed(answer.text, answer.failed):
            return
        if asked.tool in self._tools.answers:
            await self._call(asked)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await self._tools.leave(session)

    async def _call(self, asked: Asked) -> Answer:
        from mcp import MCPError

        async with self._opening:
            if self._session is None:
                self._session = await self._tools.session()
        name = self._tools.server.name_of(asked.tool)
        why = f"`{name}` of {self._tools.name}"
        try:
            result = await self._session.call(name, dict(asked.arguments))
        except MCPError as refused:
            return Answer(error(refused.message, self._errors), "mcp", why, failed=True)
        text = result_text(result)
        if not result.is_error:
            return Answer(text, "mcp", why, failed=False)
        if not has_failed(text, None):
            text = error(text or "the tool failed", self._errors)
        return Answer(text, "mcp", why, failed=True)


def result_text(result: CallToolResult) -> str:
    """A result as one text.

    That is the structured content as JSON, where there is some: checks can read it. Where a server
    only wrapped a text in it, as `{"result": …}`, that text. Of what is no text, what it is.
    """
    text = "\n".join(_block_text(block) for block in result.content)
    structured = result.structured_content
    if structured is None or result.is_error or structured == {"result": text}:
        return text
    return dump(structured)


def _block_text(block: Any) -> str:
    """A block of content: its text, or that of a resource in it."""
    if block.type == "text":
        return str(block.text)
    held = getattr(block, "resource", None)
    if held is not None and getattr(held, "text", None) is not None:
        return str(held.text)
    described: dict[str, Any] = {"type": block.type}
    for name, value in (("uri", getattr(held or block, "uri", None)), ("name", _at(block, "name"))):
        if value is not None:
            described[name] = str(value)
    kind = _at(block, "mime_type") or _at(held, "mime_type")
    return dump(described | ({"mimeType": kind} if kind else {}) | {"omitted": _BLOCK})


def _at(block: Any, name: str) -> Any:
    return getattr(block, name, None)
