"""Small tools, recordings and worlds for the tests of cm2.simulate, and the worlds of specs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from cm2.bundle import Bundle
from cm2.chat import read
from cm2.judge.view import Question
from cm2.recordings import with_answers
from cm2.simulate import Answer, Simulator, World
from cm2.simulate.backend import Requestor
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl import ir
from cm2dsl.reward.instance import Instance
from cm2dsl.reward.verdict import Decision, Verdict

REPLAY = ir.Replay()
ACCOUNT = (
    ir.Tool(
        name="balance",
        parameters={
            "type": "object",
            "properties": {"account": {"type": "string"}},
            "required": ["account"],
            "additionalProperties": False,
        },
        effect="read",
    ),
    ir.Tool(
        name="pay",
        parameters={
            "type": "object",
            "properties": {
                "account": {"type": "string"},
                "amount": {"type": "number", "minimum": 0},
                "note": {"type": "object"},
            },
            "required": ["account", "amount"],
            "additionalProperties": False,
        },
        effect="write",
    ),
)


def without_effects(tools: Iterable[ir.Tool]) -> tuple[ir.Tool, ...]:
    return tuple(msgspec.structs.replace(tool, effect=None) for tool in tools)


def recording(task: str, *calls: tuple[str, Mapping[str, Any], str], id: str = "r") -> Trajectory:
    """One turn, one step a call: (tool, arguments, result)."""
    steps = tuple(
        Step(calls=(Call(f"c{n}", tool, arguments, json.dumps(arguments), result),))
        for n, (tool, arguments, result) in enumerate(calls)
    )
    return Trajectory(id, task, (Turn("hello", steps),))


def python_world(
    folder: Path,
    code: str,
    *,
    tools: tuple[ir.Tool, ...] = ACCOUNT,
    recordings: Iterable[Trajectory] = (),
    row: Mapping[str, Any] | None = None,
    seconds: float = 5.0,
) -> World:
    """A world of `replay then python`, with this code as the backend."""
    (folder / "backend.py").write_text(code, encoding="utf-8")
    chain = (REPLAY, ir.PythonBackend(file="backend.py"))
    worlds = Simulator(tools, chain, folder, recordings, seconds=seconds, allow_python=True)
    return worlds.world("t", row)


def replay_world(*recordings: Trajectory, tools: tuple[ir.Tool, ...] = ACCOUNT) -> World:
    return Simulator(tools, (REPLAY,), Path(), recordings).world("t")


def ask(world: World, tool: str, /, **arguments: Any) -> Answer:
    return asyncio.run(world.call(tool, arguments))


def text(world: World, tool: str, /, **arguments: Any) -> str:
    return ask(world, tool, **arguments).text


Message = tuple[Requestor, Sequence[tuple[str, Mapping[str, Any] | None]]]
"""Who speaks, and the calls of the message: (tool, arguments; None where they are no object)."""


async def play(world: World, messages: Sequence[Message], id: str, task: str) -> Trajectory:
    """A rollout that makes these calls, recorded with who answered them."""
    turns = [Turn("hello")]
    answers: dict[str, Answer] = {}
    for number, (requestor, made) in enumerate(messages):
        calls = [
            Call(f"m{number}.{index}", tool, arguments, json.dumps(arguments))
            for index, (tool, arguments) in enumerate(made)
        ]
        given = await world.answer(calls, requestor)
        answers |= {call.id: answer for call, answer in zip(calls, given, strict=True)}
        done = tuple(
            replace(call, result=answer.text, failed=answer.failed)
            for call, answer in zip(calls, given, strict=True)
        )
        if requestor == "user":
            turns.append(Turn("and now", (), done))
        else:
            steps = (*turns[-1].steps, Step(calls=done))
            turns[-1] = Turn(turns[-1].user, steps, turns[-1].acts)
    return with_answers(Trajectory(id, task, tuple(turns)), answers)


def simulator(bundle: Bundle, *, replay: bool) -> Simulator:
    chain = [link for link in bundle.spec.simulate if replay or not isinstance(link, ir.Replay)]
    recordings = [one for task in bundle.spec.tasks for one in recorded(bundle, task)]
    return Simulator(bundle.spec.tools, chain, bundle.files, recordings, allow_python=True)


def recorded(bundle: Bundle, task: ir.Task) -> list[Trajectory]:
    return list(read(bundle.files / task.reference)) if task.reference else []


def open_world(worlds: Simulator, instance: Instance) -> World:
    return worlds.world(instance.id, instance.row.values if instance.row is not None else None)


def judgement(question: Question, verdict: Verdict) -> Decision:
    """A verdict as a judge gives it when the item's scope has ended."""
    turns = question.trajectory.turns
    scope = turns if question.turn is None else turns[question.turn : question.turn + 1]
    last = sum(len(turn.steps) for turn in scope) - 1
    return Decision(verdict, "judge", step=last if verdict is Verdict.PASS else None)
