"""Models that play tools, for tests: engines whose every answer a function gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cm2.judge.asking import Asker
from cm2.judge.desk import Cache, Limits
from cm2.judge.engine import Answer, Answered, Prompt, Usage
from cm2.simulate import Simulator, World
from cm2.trajectory import Trajectory
from cm2dsl import ir

LLM = ir.LLMBackend(examples=2)
PATIENT = Limits(backoff=0.0)


def tool(
    name: str,
    effect: ir.Effect | None = "read",
    returns: dict[str, Any] | None = None,
    **properties: dict[str, Any],
) -> ir.Tool:
    """A tool whose arguments are all required; `returns` is the schema of its results."""
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return ir.Tool(name=name, parameters=parameters, effect=effect, returns=returns)


TEXT: dict[str, Any] = {"type": "string"}
BOOKING: dict[str, Any] = {
    "type": "object",
    "properties": {"booking": TEXT, "status": TEXT, "total": {"type": "number"}},
    "required": ["booking", "status", "total"],
    "additionalProperties": False,
}
DESK = (
    tool("lookup", returns=BOOKING, booking=TEXT),
    tool("bookings", returns={"type": "array", "items": BOOKING}, customer=TEXT),
    tool("cancel", "write", BOOKING, booking=TEXT),
)


class Actor:
    """An engine: `say` is given each prompt's call and text, and gives a result, or an Answer."""

    identity = "an actor of the tests"
    control_tokens = ("<|end|>",)

    def __init__(self, say: Callable[[str, str], Any]) -> None:
        self._say = say
        self.prompts: list[Prompt] = []

    async def answer(self, prompt: Prompt) -> Answer:
        self.prompts.append(prompt)
        said = self._say(called(prompt), prompt.user)
        if not isinstance(said, str):
            said = json.dumps({"answer": said})
        return Answered(said, Usage(len(prompt.user), None, len(said)))

    async def close(self) -> None:
        return None


def called(prompt: Prompt) -> str:
    """The call that a prompt asks to answer, as `tool({…})`."""
    return prompt.user.partition("# The call to answer")[2].strip().splitlines()[1]


def simulator(
    engine: Any,
    *,
    tools: Iterable[ir.Tool] = DESK,
    recordings: Iterable[Trajectory] = (),
    chain: Iterable[ir.Backend] = (LLM,),
    cache: Cache | None = None,
) -> Simulator:
    asker = Asker(engine, limits=PATIENT, cache=cache)
    return Simulator(tuple(tools), tuple(chain), Path(), recordings, llm=asker)


def world(say: Callable[[str, str], Any], **more: Any) -> World:
    return simulator(Actor(say), **more).world("t")


def booking(name: str, status: str = "active", total: float = 120) -> Mapping[str, Any]:
    return {"result": {"booking": name, "status": status, "total": total}}
