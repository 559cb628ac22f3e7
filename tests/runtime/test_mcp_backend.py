"""Real tools as a backend: a server of the official package's, over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from click.testing import CliRunner
from simulated import ACCOUNT, REPLAY, recording

from cm2.cli import main
from cm2.simulate import Answer, SimulationError, Simulator, ToolFailure, World
from cm2.simulate.config import world_settings
from cm2.simulate.mcp_backend import result_text
from cm2.simulate.mcp_fit import misfits
from cm2.trajectory import Trajectory
from cm2dsl import ir

DESK = Path(__file__).with_name("mcp_desk.py")
RENAMED = {"pay": "transfer"}
CHAIN = (REPLAY, ir.MCPBackend(server="desk"))
STDIO = {"command": sys.executable, "args": [str(DESK)], "tools": RENAMED}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, str(DESK), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.kill()


def opened(
    table: dict[str, Any],
    *,
    tools: tuple[ir.Tool, ...] = ACCOUNT,
    chain: tuple[ir.Backend, ...] = CHAIN,
    recordings: tuple[Trajectory, ...] = (),
    folder: Path = Path(),
) -> Simulator:
    settings = world_settings({"mcp": {"desk": table}}, folder, "world.toml")
    return Simulator(tools, chain, folder, recordings, servers=settings.servers)


async def outcome(world: World, tool: str, **arguments: Any) -> Answer | str:
    try:
        return await world.call(tool, arguments)
    except ToolFailure as failure:
        return str(failure)


def test_over_stdio_each_rollout_has_a_process_of_its_own_and_only_its_own_can_die(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESK_KEY", "for the desk")
    monkeypatch.setenv("OTHER_KEY", "for others")
    simulator = opened({**STDIO, "env": ["DESK_KEY"]})

    async def play() -> list[Answer | str]:
        async with simulator.world("t") as one, simulator.world("t") as other:
            return [
                await outcome(one, "pay", account="a", amount=30),
                *await asyncio.gather(
                    outcome(one, "balance", account="a"), outcome(other, "balance", account="a")
                ),
                await outcome(one, "balance", account="key"),
                await outcome(one, "balance", account="dies"),
                await outcome(one, "balance", account="a"),
                await outcome(other, "balance", account="a"),
            ]

    paid, left, untouched, key, dead, still_dead, last = asyncio.run(play())
    assert paid == Answer("paid 30", "mcp", "`transfer` of desk", failed=False)
    assert isinstance(left, Answer)
    assert isinstance(untouched, Answer)
    assert (left.text, untouched.text) == ('{"money":70.0}', '{"money":100.0}')
    assert isinstance(key, Answer)
    assert key.text == '{"money":"for the desk"}'
    for broken in (dead, still_dead):
        assert isinstance(broken, str)
        assert broken.startswith("the server `desk`: `balance`: ")
    assert last == untouched


def test_over_http_errors_of_tools_are_answers_and_late_ones_are_faults(url: str) -> None:
    simulator = opened({"url": url, "tools": RENAMED, "seconds": 1.0})

    async def play() -> list[Answer | str]:
        async with simulator.world("t") as world:
            return [
                await outcome(world, "balance", account="a"),
                await outcome(world, "balance", account="nobody"),
                await outcome(world, "balance", account="sleeps"),
            ]

    for _ in range(2):  # in one event loop after the other
        right, wrong, late = asyncio.run(play())
        assert right == Answer('{"money":100.0}', "mcp", "`balance` of desk", failed=False)
        assert isinstance(wrong, Answer)
        assert wrong.failed
        assert "no account nobody" in wrong.text
        assert wrong.text.startswith('{"error":')
        assert late == "the server `desk`: `balance` took longer than 1 seconds"


def test_a_shared_session_serves_rollouts_that_come_and_go(url: str) -> None:
    simulator = opened({"url": url, "tools": RENAMED, "shared": True})

    async def rollout(number: int) -> str:
        async with simulator.world("t") as world:
            await asyncio.sleep(0.02 * number)
            return (await world.call("balance", {"account": "a"})).text

    async def play() -> list[str]:
        return await asyncio.gather(*(rollout(number) for number in range(6)))

    assert asyncio.run(play()) == ['{"money":100.0}'] * 6
    assert asyncio.run(rollout(0)) == '{"money":100.0}'


def test_a_write_that_was_replayed_also_happens_at_the_server(url: str) -> None:
    recorded = recording("t", ("pay", {"account": "b", "amount": 30}, "paid 30"))
    simulator = opened({"url": url, "tools": RENAMED}, recordings=(recorded,))

    async def play() -> tuple[Answer | str, ...]:
        async with simulator.world("t") as world:
            paid = await outcome(world, "pay", account="b", amount=30)
            return paid, await outcome(world, "balance", account="b")

    paid, left = asyncio.run(play())
    assert isinstance(paid, Answer)
    assert isinstance(left, Answer)
    assert (paid.source, left.text) == ("replay", '{"money":70.0}')


def test_what_the_server_lacks_is_named_before_anything_is_played(url: str) -> None:
    with pytest.raises(SimulationError) as missing:
        opened({"url": url})
    assert str(missing.value).startswith(
        "no tool of the server `desk` is named `pay`; there is `balance`, `picture`, `transfer`. "
    )
    assert "write it into [mcp.desk.tools]" in str(missing.value)


def test_what_another_backend_answers_the_server_need_not_have(tmp_path: Path, url: str) -> None:
    code = "def pay(state, account, amount, note=None):\n    return 1\n"
    (tmp_path / "bank.py").write_text(code, encoding="utf-8")
    settings = world_settings({"mcp": {"desk": {"url": url}}}, tmp_path, "world.toml")
    chain = (*CHAIN, ir.PythonBackend(file="bank.py"))
    simulator = Simulator(ACCOUNT, chain, tmp_path, servers=settings.servers, allow_python=True)

    async def play() -> list[str]:
        async with simulator.world("t") as world:
            paid = await world.call("pay", {"account": "a", "amount": 1})
            return [paid.source, (await world.call("balance", {"account": "a"})).source]

    assert asyncio.run(play()) == ["python", "mcp"]


def test_tools_that_take_something_else_are_named(url: str) -> None:
    parameters = {"type": "object", "properties": {"account": {"type": "integer"}}}
    tool = ir.Tool(name="balance", parameters=parameters)
    with pytest.raises(SimulationError) as found:
        opened({"url": url}, tools=(tool,))
    assert str(found.value) == (
        "the tools of the server `desk` are not those of the spec:\n"
        "  balance: `account` is required, and the spec lets it be left out\n"
        "  balance: `account` is string, and integer in the spec"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({}, {"required": ["pin"]}, ["`pin` is required, and the spec does not have it"]),
        (
            {"properties": {"pin": {"default": 1}}},
            {"properties": {"pin": {}}, "required": ["pin"]},
            [],
        ),
        (
            {"properties": {"pin": {}}},
            {"properties": {}, "additionalProperties": False},
            ["`pin` is an argument that it does not have"],
        ),
        (
            {"properties": {"n": {"type": "integer"}}},
            {"properties": {"n": {"type": ["number", "null"]}}},
            [],
        ),
        (
            {"properties": {"c": {"enum": ["a", "b"]}}},
            {"properties": {"c": {"enum": ["b", "c"]}}},
            ['`c` cannot be "a"'],
        ),
    ],
)
def test_schemas_fit_where_calls_get_through(
    ours: dict[str, Any], theirs: dict[str, Any], said: list[str]
) -> None:
    assert list(misfits(ir.Tool(name="t", parameters=ours), theirs)) == said


def test_a_server_that_cannot_be_reached_is_named_with_what_it_wrote() -> None:
    gone = {"command": sys.executable, "args": ["-c", "raise SystemExit('no licence found')"]}
    with pytest.raises(SimulationError, match=r"the server `desk`: .*no licence found"):
        opened(gone)
    with pytest.raises(
        SimulationError, match=r"the server `desk`: there is no program `no-such-command`"
    ):
        opened({"command": "no-such-command"})
    with pytest.raises(SimulationError, match="the server `desk`: "):
        opened({"url": "http://127.0.0.1:9/mcp"})
    with pytest.raises(SimulationError, match="no variable `NO_SUCH_KEY`"):
        opened({**STDIO, "env": ["NO_SUCH_KEY"]})


def test_a_name_for_a_tool_that_the_spec_lacks_is_a_mistake(url: str) -> None:
    with pytest.raises(SimulationError, match=r"\[mcp.desk.tools\]: the spec has no tool `blance`"):
        opened({"url": url, "tools": {**RENAMED, "blance": "balance"}})


def test_without_settings_the_run_ends_only_when_a_call_reaches_the_server() -> None:
    recorded = recording("t", ("balance", {"account": "a"}, "1"))
    world = Simulator(ACCOUNT, CHAIN, Path(), (recorded,)).world("t")
    assert asyncio.run(world.call("balance", {"account": "a"})).text == "1"
    with pytest.raises(SimulationError, match=r"nothing describes its server; do so in \[mcp.desk"):
        asyncio.run(world.call("balance", {"account": "b"}))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "give either a `command` or a `url`"),
        ({"command": "x", "url": "http://h/mcp"}, "give either a `command` or a `url`"),
        ({"url": "desk:8000"}, "`desk:8000` is no address; write https://…"),
        ({"url": "http://h/mcp", "args": ["x"]}, "`args` and `env` are those of a `command`"),
        ({"command": "x", "key_env": "K"}, "`key_env` is of a `url`"),
        ({"comand": "x"}, "there is no `comand`; did you mean `command`?"),
        ({"command": 3}, "expected `str | null`, got `int` - at `$.command`"),
        ({"command": "x", "seconds": 0}, "`seconds` must be more than 0"),
    ],
)
def test_settings_that_are_wrong_name_their_table(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulationError) as wrong:
        world_settings({"mcp": {"desk": table}}, Path(), "world.toml")
    assert str(wrong.value).startswith("world.toml, [mcp.desk]: ")
    assert said in str(wrong.value)


def test_settings_are_kept_as_they_stand_in_the_file() -> None:
    table = {"command": "desk", "args": ["-v"], "tools": {"pay": "transfer"}, "shared": True}
    settings = world_settings({"mcp": {"desk": table}}, Path(), "world.toml")
    assert settings.to_json() == {"mcp": {"desk": table}}


def text(said: str) -> types.TextContent:
    return types.TextContent(type="text", text=said)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (types.CallToolResult(content=[text("plain"), text("words")]), "plain\nwords"),
        (types.CallToolResult(content=[text("7")], structured_content={"n": 7}), '{"n":7}'),
        (types.CallToolResult(content=[text("a")], structured_content={"result": "a"}), "a"),
        (types.CallToolResult(content=[], structured_content={"n": "é"}), '{"n":"é"}'),
        (types.CallToolResult(content=[]), ""),
        (
            types.CallToolResult(
                content=[types.ImageContent(type="image", data="iVBORw==", mime_type="image/png")]
            ),
            '{"type":"image","mimeType":"image/png","omitted":"content that is no text"}',
        ),
        (
            types.CallToolResult(
                content=[
                    types.EmbeddedResource(
                        type="resource",
                        resource=types.TextResourceContents(uri="file:///a", text="held"),
                    )
                ]
            ),
            "held",
        ),
    ],
)
def test_a_result_is_one_text(result: types.CallToolResult, said: str) -> None:
    assert result_text(result) == said


@pytest.mark.parametrize("command", ["train", "rollout"])
def test_a_command_that_plays_ends_at_once_where_nothing_describes_the_server(
    tmp_path: Path, command: str
) -> None:
    tools = [{"name": "balance", "parameters": ACCOUNT[0].parameters}]
    (tmp_path / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
    spec = tmp_path / "desk.cm2"
    spec.write_text(
        'cm2 1\ndomain desk "Desk"\ntools "tools.json"\nsimulate { mcp "desk" }\n'
        'task t { turn u { user "x" item a { check called balance } } }\n',
        encoding="utf-8",
    )
    (tmp_path / "world.toml").write_text('[mcp.dest]\nurl = "http://h/mcp"\n', encoding="utf-8")
    model = ["--model", str(tmp_path)] if command == "rollout" else []
    for options in ([], ["--world", str(tmp_path / "world.toml")]):
        done = CliRunner().invoke(main, [command, str(spec), *model, *options])
        assert done.exit_code == 2, done.output
        assert 'the backend `mcp "desk"` is a server: say which into a file' in done.output
        assert "[mcp.desk]" in done.output
    assert "did you mean `dest`?" in done.output


def test_a_key_is_sent_as_a_bearer_token_and_never_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", "hush-hush")
    came: list[str | None] = []

    class Refuses(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(SimulationError) as refused:
            opened({"url": f"http://127.0.0.1:{server.server_port}/mcp", "key_env": "DESK_KEY"})
        server.shutdown()
    assert set(came) == {"Bearer hush-hush"}
    assert str(refused.value).startswith("the server `desk`: ")
    assert "hush-hush" not in str(refused.value)
    monkeypatch.delenv("DESK_KEY")
    with pytest.raises(SimulationError, match="no variable `DESK_KEY`"):
        opened({"url": "http://127.0.0.1:9/mcp", "key_env": "DESK_KEY"})
