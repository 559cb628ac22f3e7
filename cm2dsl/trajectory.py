"""A dialogue as turns, steps and segments (OpenAI chat messages in, frozen records out).

A user message opens a turn. A step is one assistant message with the tool results that follow it.
Turns and steps count from 0. A segment is a piece of text with a stable name: `t1.user`,
`t1.s2.reasoning`, `t1.s2.reply`, `t1.s2.tool_call`, `t1.s2.tool_result`; the second and later
calls of one message are `t1.s2.tool_call.1`, `t1.s2.tool_result.1` and so on. A user may have tools
too (a phone, a browser): what it calls before it speaks is `t1.user_call`, `t1.user_result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cm2dsl.jsonl import JsonError, parse

Channel = Literal["user", "reasoning", "tool_call", "tool_result", "reply"]


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call and its result.

    `arguments` is None where they were not a JSON object; `raw` is then what was written instead.
    `result` is None where the dialogue holds none. `failed` is what the dialogue says of the
    result, None where it says nothing (see `has_failed`).
    """

    id: str
    tool: str
    arguments: Mapping[str, Any] | None
    raw: str
    result: str | None = None
    failed: bool | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One assistant message and its results.

    `malformed` is text that was meant as a tool call and could not be read as one; it counts as
    the tool_call channel, never as a reply.
    """

    reply: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    malformed: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A user message and the agent's steps; `acts` are what the user called before it spoke."""

    user: str
    steps: tuple[Step, ...] = ()
    acts: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """`task` is `name` or `name/row-key`; `opening` holds what was said before the first user."""

    id: str
    task: str
    turns: tuple[Turn, ...]
    system: str = ""
    opening: tuple[Step, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """A named piece of the dialogue; `step` is None for the user's words."""

    turn: int
    step: int | None
    channel: Channel
    text: str
    name: str


def has_failed(result: str, flagged: bool | None) -> bool:
    """Whether a call's result is an error: what the dialogue says, or how the result begins.

    Without a word of the dialogue, an error is text that begins with `Error`, or a JSON object
    whose `error` is there and not null, false or empty.
    """
    if flagged is not None:
        return flagged
    start = result.lstrip()[:6]
    if start.startswith("{") and '"error"' in result:
        try:
            value = parse(result)
        except JsonError:
            return False
        return isinstance(value, dict) and bool(value.get("error"))
    return start.rstrip(":").lower() == "error"


def call_text(call: Call) -> str:
    """A call as a segment's text: `tool({"key": value})`, or what was written instead."""
    if call.arguments is None:
        return f"{call.tool}({call.raw})"
    return f"{call.tool}({json.dumps(call.arguments, ensure_ascii=False)})"


def step_segments(step: Step, turn: int, number: int) -> Iterator[Segment]:
    """The segments of one step: reasoning, reply, calls, results. Empty texts have none."""
    stem = f"t{turn}.s{number}"

    def segment(channel: Channel, text: str, index: int = 0) -> Segment:
        name = f"{stem}.{channel}" + (f".{index}" if index else "")
        return Segment(turn, number, channel, text, name)

    if step.reasoning:
        yield segment("reasoning", step.reasoning)
    if step.reply:
        yield segment("reply", step.reply)
    for index, call in enumerate(step.calls):
        yield segment("tool_call", call_text(call), index)
    if step.malformed is not None:
        yield segment("tool_call", step.malformed, len(step.calls))
    for index, call in enumerate(step.calls):
        if call.result is not None:
            yield segment("tool_result", call.result, index)


def _act_segments(turn: Turn, number: int) -> Iterator[Segment]:
    """What the user called and read, as pieces of the user's channel."""
    for index, call in enumerate(turn.acts):
        end = f".{index}" if index else ""
        yield Segment(number, None, "user", call_text(call), f"t{number}.user_call{end}")
        if call.result is not None:
            yield Segment(number, None, "user", call.result, f"t{number}.user_result{end}")


def segments(trajectory: Trajectory) -> list[Segment]:
    """Every segment of a dialogue, in order; what was said before the first user has none."""
    found: list[Segment] = []
    for t, turn in enumerate(trajectory.turns):
        found += _act_segments(turn, t)
        found.append(Segment(t, None, "user", turn.user, f"t{t}.user"))
        for s, step in enumerate(turn.steps):
            found += step_segments(step, t, s)
    return found
