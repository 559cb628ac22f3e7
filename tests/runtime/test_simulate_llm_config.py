"""The settings of who plays a world, and models that are asked over HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from actors import BOOKING, DESK, LLM
from click.testing import CliRunner
from judge_server import Request, Response, Server, saying

from cm2.cli import main
from cm2.judge.engine import EngineError
from cm2.simulate import SimulationError, Simulator, ToolFailure
from cm2.simulate.config import read_world, world_settings

OPENAI = '[llm]\nengine = "openai"\nmodel = "m"\nurls = ["http://127.0.0.1:9/v1"]\n'


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[lllm]\n", "there is no [lllm]; did you mean `llm`?"),
        ("llm = 3\n", "`llm` is a table; write [llm]"),
        ("[llm]\n", "[llm]: names no `engine`"),
        ('[llm]\nengine = "noisy"\nof = {}\n', "[llm]: the engine `noisy` only judges"),
        ('[llm]\nengine = "checks"\n', "[llm]: the engine `checks` only judges"),
        (OPENAI + "letrs = 3\n", "[llm]: there is no `letrs`; did you mean `letters`?"),
        (OPENAI + 'api_key = "sk-1"\n', "[llm]: `api_key` does not belong into settings"),
        ("[llm\n", "not TOML"),
    ],
)
def test_settings_that_are_wrong_name_the_table_and_the_key(
    text: str, says: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "world.toml", text)
    with pytest.raises(SimulationError) as error:
        read_world(path)
    assert str(error.value).startswith(f"{path}")
    assert says in str(error.value)
    assert "sk-1" not in str(error.value)


def test_settings_are_checked_whole_and_opened_by_part(tmp_path: Path) -> None:
    settings = read_world(write(tmp_path / "world.toml", OPENAI))
    assert (settings.has("llm"), settings.opened("user")) == (True, None)
    asker = settings.open("llm")
    assert asker.identity.startswith("openai ")
    assert json.loads(json.dumps(settings.to_json()))["llm"]["model"] == "m"


SPEC = """\
cm2 1
domain desk "A desk"
tools "desk.tools.json"
simulate { replay then llm examples 1 }
task ask { turn one { user "hello" item answers { check reply contains "a" } } }
"""
TOOLS = [{"name": "lookup", "x-effect": "read", "parameters": {"type": "object"}}]


@pytest.mark.parametrize("command", ["rollout", "train"])
def test_a_spec_with_llm_needs_a_model_before_anything_is_played(
    command: str, tmp_path: Path
) -> None:
    spec = write(tmp_path / "desk.cm2", SPEC)
    write(tmp_path / "desk.tools.json", json.dumps(TOOLS))
    more = ["--model", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [command, str(spec), *more])
    assert result.exit_code == 2
    assert "the backend `llm` is a model" in result.output
    assert "[llm]" in result.output
    assert "--world FILE" in result.output
    assert not (tmp_path / "out").exists()


def played(server: Server, **settings: Any) -> tuple[list[str], Any]:
    said = {"engine": "openai", "model": "m", "urls": [server.url], "backoff": 0.0} | settings
    asker = world_settings({"llm": said}, Path(), "world.toml").open("llm")
    simulator = Simulator(DESK, (LLM,), Path(), llm=asker)

    async def all_() -> list[str]:
        try:
            await asker.ready()
            world = simulator.world("t")
            found = [await world.call("lookup", {"booking": name}) for name in ("K1", "K2", "K1")]
            return [answer.text for answer in found]
        finally:
            await asker.close()

    return asyncio.run(all_()), asker.ledger


def answers(request: Request) -> Response:
    called = request.user.partition("# The call to answer")[2]
    name = "K1" if '"K1"' in called else "K2"
    result = {"booking": name, "status": "active", "total": 1.5}
    return saying(json.dumps({"answer": {"result": result}}))


def test_a_server_is_sent_the_schema_of_the_results_and_a_seed_of_the_prompts_own() -> None:
    with Server(answers) as server:
        texts, ledger = played(server)
    assert [json.loads(text)["booking"] for text in texts] == ["K1", "K2", "K1"]
    first, second = (request.body for request in server.requests)
    held = first["response_format"]["json_schema"]
    assert held["name"] == "lookup"
    result = held["schema"]["properties"]["answer"]["anyOf"][0]["properties"]["result"]
    assert result["required"] == BOOKING["required"]
    assert result["properties"]["status"]["pattern"].endswith("{0,200}$")
    assert first["seed"] != second["seed"]
    assert "logprobs" not in first
    assert (ledger.total.calls, ledger.total.prompt, [*ledger.items]) == (2, 200, ["lookup"])


def test_strict_hosts_are_told_in_their_words() -> None:
    with Server(answers) as server:
        played(server, structured="strict")
    schema = server.requests[0].body["response_format"]["json_schema"]["schema"]
    assert "pattern" not in json.dumps(schema)


def test_a_server_that_ignores_schemas_is_found_out_before_anything_is_played() -> None:
    with (
        Server(answers, probe=lambda _: saying("hello")) as server,
        pytest.raises(EngineError, match="does not hold its answers to the schema"),
    ):
        played(server)


def test_a_server_that_goes_down_masks() -> None:
    with (
        Server(lambda request: Response(status=500, body={"error": "down"})) as server,
        pytest.raises(ToolFailure, match=r"no answer to `lookup`: .* answered 500: down"),
    ):
        played(server, tries=2)
    assert len(server.requests) == 2


def test_a_call_that_was_answered_with_other_settings_is_asked_anew(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    with Server(answers) as server:
        for temperature in (1.0, 1.0, 0.5):
            played(server, cache=cache, temperature=temperature)
    assert len(server.requests) == 4
