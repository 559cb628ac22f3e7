"""`cm2 tools serve`: the official package's client calls the simulated tools of the airline."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult
from simulated import open_world, simulator

from cm2.bundle import Bundle, open_spec
from cm2.chat import read
from cm2.cli import main
from cm2.serving import ToolServer
from cm2.simulate import World

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "airline.cm2"
SERVE = ["-c", "from cm2.cli import main; main()", "tools", "serve"]
TASK = "cancel_allowed"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_spec(SPEC, allow_python=True)


@dataclass
class Served:
    url: str
    record: Path


@contextmanager
def serving(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server over HTTP, and the line that says where."""
    with subprocess.Popen(
        [sys.executable, *SERVE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            yield server, server.stderr.readline()
        finally:
            server.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    record = tmp_path_factory.mktemp("served") / "calls.jsonl"
    options = ("--allow-python", "--task", TASK, "--http", "0", "--record", record)
    with serving(SPEC, *options) as (server, line):
        found = re.fullmatch(r"serving (http://127\.0\.0\.1:\d+/mcp)\n", line)
        assert found, line
        yield Served(found[1], record)
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130
        assert server.stdout is not None
        assert server.stdout.read() == ""


def said(result: CallToolResult) -> str:
    (block,) = result.content
    assert block.type == "text"
    return block.text


def rows(bundle: Bundle) -> list[dict[str, Any]]:
    found = [one for one in bundle.by_id.values() if one.task.name == TASK]
    return [dict(one.row.values) for one in found if one.row is not None]


def test_over_stdio_a_client_gets_what_a_rollout_would_and_its_calls_are_recorded(
    bundle: Bundle, tmp_path: Path
) -> None:
    booking = rows(bundle)[0]["booking"]
    record = tmp_path / "calls.jsonl"
    options = ["--allow-python", "--task", TASK, "--record", str(record)]
    command = StdioServerParameters(command=sys.executable, args=[*SERVE, str(SPEC), *options])

    async def use() -> list[CallToolResult]:
        async with Client(stdio_client(command)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(tools) == [tool.name for tool in bundle.spec.tools]
            for tool in bundle.spec.tools:
                assert tools[tool.name].description == tool.description
                assert tools[tool.name].input_schema == tool.parameters
            assert client.instructions == bundle.spec.system
            calls = [("lookup", booking), ("cancel", booking), ("lookup", booking)]
            return [await client.call_tool(name, {"booking": code}) for name, code in calls]

    found, cancelled, gone = asyncio.run(use())
    world = open_world(simulator(bundle, replay=True), bundle.by_id[f"{TASK}/{first(bundle)}"])

    async def play(world: World) -> list[str]:
        calls = [("lookup", booking), ("cancel", booking), ("lookup", booking)]
        return [(await world.call(name, {"booking": code})).text for name, code in calls]

    assert [said(one) for one in (found, cancelled, gone)] == asyncio.run(play(world))
    assert [one.is_error for one in (found, cancelled, gone)] == [False, False, True]
    assert gone.meta is not None
    assert gone.meta["cm2/task"] == f"{TASK}/{first(bundle)}"
    assert gone.meta["cm2/source"] == "python"
    assert "ValueError: no booking" in gone.meta["cm2/why"]
    (dialogue,) = read(record)
    calls = [call for step in dialogue.turns[0].steps for call in step.calls]
    assert [call.result for call in calls] == [said(one) for one in (found, cancelled, gone)]
    assert dialogue.task == f"{TASK}/{first(bundle)}"
    assert dialogue.extra["answers"]["t0.s2.tool_call"]["source"] == "python"


def first(bundle: Bundle) -> str:
    return next(
        one.row.key
        for one in bundle.by_id.values()
        if one.task.name == TASK and one.row is not None
    )


def test_over_http_each_session_has_the_next_row_and_a_world_of_its_own(
    served: Served, bundle: Bundle
) -> None:
    known = {row["booking"] for row in rows(bundle)}

    async def session(mode: str) -> tuple[str, list[bool]]:
        async with Client(served.url, mode=mode) as client:
            task = (await client.call_tool("lookup", {"booking": "XXXXXX"})).meta
            assert task is not None
            values = bundle.by_id[task["cm2/task"]].row
            assert values is not None
            booking = dict(values.values)["booking"]
            assert booking in known
            arguments = {"booking": booking}
            done = [
                await client.call_tool(name, arguments) for name in ("lookup", "cancel", "lookup")
            ]
            return task["cm2/task"], [one.is_error for one in done]

    async def use() -> list[tuple[str, list[bool]]]:
        return await asyncio.gather(*(session(mode) for mode in ("auto", "legacy", "auto")))

    found = asyncio.run(use())
    assert len({task for task, _ in found}) == 3
    assert all(errors == [False, False, True] for _, errors in found)
    tasks = {task for task, _ in found}
    end = time.monotonic() + 10
    while time.monotonic() < end and not tasks <= recorded(served):
        time.sleep(0.1)
    assert tasks <= recorded(served)


def recorded(served: Served) -> set[str]:
    return {dialogue.task for dialogue in read(served.record)} if served.record.exists() else set()


def test_what_is_wrong_with_a_call_is_an_error_of_the_tool(served: Served) -> None:
    async def use() -> list[CallToolResult]:
        async with Client(served.url) as client:
            calls: list[tuple[str, dict[str, Any]]] = [("lookup", {}), ("fly", {"to": "Oslo"})]
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    wrong, unknown = asyncio.run(use())
    assert (wrong.is_error, unknown.is_error) == (True, True)
    assert "`booking` is missing" in said(wrong)
    assert said(unknown).startswith('{"error":"unknown tool; there are search')


def test_calls_of_one_session_at_once_are_answered_one_after_the_other(
    served: Served, bundle: Bundle
) -> None:
    async def use() -> list[bool]:
        async with Client(served.url) as client:
            meta = (await client.call_tool("lookup", {"booking": "XXXXXX"})).meta
            assert meta is not None
            row = bundle.by_id[meta["cm2/task"]].row
            assert row is not None
            arguments = {"booking": dict(row.values)["booking"]}
            many = [client.call_tool("cancel", arguments) for _ in range(6)]
            return [one.is_error for one in await asyncio.gather(*many)]

    assert sorted(asyncio.run(use())) == [False, *[True] * 5]


def test_a_client_that_opens_no_session_is_told_to(served: Served) -> None:
    async def use() -> None:
        async with Client(served.url, mode="2026-07-28") as client:
            with pytest.raises(MCPError, match="open one with `initialize`"):
                await client.call_tool("lookup", {"booking": "XXXXXX"})

    asyncio.run(use())


def test_a_world_that_breaks_is_no_error_of_the_tool(tmp_path: Path) -> None:
    for name in ("airline.tools.json", "airline.system.md"):
        (tmp_path / name).write_bytes((SPEC.parent / name).read_bytes())
    code = "def lookup(state, booking):\n    print('to nobody')\n    return {booking}\n"
    (tmp_path / "desk.py").write_text(code, encoding="utf-8")
    (tmp_path / "desk.cm2").write_text(
        'cm2 1\ndomain desk "Desk"\ntools "airline.tools.json"\nsimulate { python "desk.py" }\n'
        'task t { turn u { user "x" item a { check called lookup } } }\n',
        encoding="utf-8",
    )
    options = [*SERVE, str(tmp_path / "desk.cm2"), "--allow-python"]
    command = StdioServerParameters(command=sys.executable, args=options)

    async def use() -> None:
        with (tmp_path / "errors").open("w") as errors:
            async with Client(stdio_client(command, errors)) as client:
                with pytest.raises(MCPError, match=r"broke: desk\.py: `lookup` returned `set`"):
                    await client.call_tool("lookup", {"booking": "XXXXXX"})

    asyncio.run(use())
    assert "desk.py printed: to nobody" in (tmp_path / "errors").read_text("utf-8")


def refused(*arguments: object) -> str:
    done = CliRunner().invoke(main, ["tools", "serve", *map(str, arguments)])
    assert done.exit_code == 2
    return done.output


def test_what_cannot_be_served_is_said_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "code runs only where you say so" in refused(SPEC)
    spec = (SPEC, "--allow-python")
    assert "there is no task `cancel`" in refused(*spec, "--task", "cancel")
    assert "has no row `C999`" in refused(*spec, "--task", f"{TASK}/C999")
    assert "`desk` is no address to serve at" in refused(*spec, "--http", "desk")
    assert "there is no folder" in refused(*spec, "--record", tmp_path / "no" / "calls.jsonl")
    (tmp_path / "calls.jsonl").write_text(json.dumps({}), encoding="utf-8")
    assert "is there already" in refused(*spec, "--record", tmp_path / "calls.jsonl")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot serve at 127.0.0.1:{port}: " in refused(*spec, "--http", port)
    assert [path.name for path in tmp_path.iterdir()] == ["calls.jsonl"]


def test_a_result_with_a_schema_is_structured_too_and_an_error_is_not(tmp_path: Path) -> None:
    returns = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tool = {"name": "count", "parameters": {"type": "object"}, "outputSchema": returns}
    (tmp_path / "tools.json").write_text(json.dumps([tool]), encoding="utf-8")
    (tmp_path / "desk.py").write_text(
        "def count(state):\n"
        "    state['n'] = state.get('n', 0) + 1\n"
        "    if state['n'] > 1:\n"
        "        raise ValueError('done')\n"
        "    return state\n",
        encoding="utf-8",
    )
    (tmp_path / "desk.cm2").write_text(
        'cm2 1\ndomain desk "Desk"\ntools "tools.json"\nsimulate { python "desk.py" }\n'
        'task t { turn u { user "x" item a { check called count } } }\n',
        encoding="utf-8",
    )
    bundle = open_spec(tmp_path / "desk.cm2", allow_python=True)
    server = ToolServer(bundle, simulator(bundle, replay=True), list(bundle.by_id.values()))

    async def use() -> list[CallToolResult]:
        async with Client(server.here()) as client:
            (listed,) = (await client.list_tools()).tools
            assert listed.output_schema == returns
            return [await client.call_tool("count", {}) for _ in range(2)]

    counted, done = asyncio.run(use())
    assert (said(counted), counted.structured_content) == ('{"n":1}', {"n": 1})
    assert (said(done), done.structured_content) == ('{"error":"done"}', None)
    assert done.is_error
