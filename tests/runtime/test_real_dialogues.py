"""Dialogues of real agents (the folder that CM2_DATA names) are read without loss."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cm2dsl.chat import from_chat, to_chat
from cm2dsl.diagnostic import Log
from cm2dsl.schemas import read_tools
from cm2dsl.source import Source
from cm2dsl.trajectory import segments

DATA = os.environ.get("CM2_DATA")

pytestmark = pytest.mark.skipif(DATA is None, reason="CM2_DATA names no folder of real dialogues")


def runs() -> list[Path]:
    return sorted(Path(DATA or "").glob("tau2/*/runs/*.json.gz"))


def openai_message(message: dict[str, Any]) -> dict[str, Any]:
    """A recorded message in OpenAI's form; what the user's own tools did is left out."""
    made = {"role": message["role"], "content": message["content"]}
    if message["role"] == "tool":
        made["tool_call_id"] = message["id"]
    if message["role"] == "assistant" and message["tool_calls"]:
        made["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for call in message["tool_calls"]
        ]
    return made


@pytest.mark.parametrize("path", runs(), ids=lambda path: path.name.split(".json")[0])
def test_the_calls_and_words_of_a_run_are_all_in_its_segments(path: Path) -> None:
    with gzip.open(path) as file:
        simulations = json.load(file)["simulations"]
    assert simulations
    for number, simulation in enumerate(simulations[:40]):
        messages = [
            openai_message(message)
            for message in simulation["messages"]
            if message.get("requestor", "assistant") == "assistant"
        ]
        record = {"id": simulation["id"], "messages": messages}
        trajectory = from_chat(record, file=path.name, line=number)
        assert from_chat(to_chat(trajectory), file=path.name, line=number) == trajectory
        called = [
            call["function"]["name"]
            for message in messages
            for call in message.get("tool_calls", ())
        ]
        steps = [step for turn in trajectory.turns for step in turn.steps]
        found = [call.tool for step in (*trajectory.opening, *steps) for call in step.calls]
        assert found == called
        said = [segment for segment in segments(trajectory) if segment.channel == "user"]
        assert len(said) == len(trajectory.turns)


@pytest.mark.parametrize("domain", ["airline", "retail", "mock"])
def test_the_tool_schemas_of_a_benchmark_are_read_with_their_effects(domain: str) -> None:
    path = Path(DATA or "") / "tau2" / domain / "tools.json"
    log = Log()
    tools = read_tools(Source(path, path.name, path.read_text(encoding="utf-8")), log)
    assert not log.diagnostics
    assert {tool.effect for tool in tools} >= {"read", "write"}
