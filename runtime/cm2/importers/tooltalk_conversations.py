"""ToolTalk's conversation files, read: user messages, golden calls, replies; and as recordings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cm2.formats.source import COMPARED, Found
from cm2.importers.tooltalk_calls import Golden
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl.names import file_name
from cm2dsl.trajectory import has_failed


@dataclass(frozen=True, slots=True)
class Reply:
    calls: tuple[Golden, ...]
    text: str


@dataclass(slots=True)
class Exchange:
    """A user message and what the assistant does about it."""

    user: str
    replies: list[Reply]

    @property
    def calls(self) -> list[Golden]:
        return [call for reply in self.replies for call in reply.calls]


@dataclass(frozen=True, slots=True)
class Conversation:
    """`joined` counts user messages that follow another and were joined to it."""

    name: str
    top: Found
    opening: tuple[str, ...]
    exchanges: list[Exchange]
    joined: int


def read_conversation(top: Found, file: Path) -> Conversation:
    """The conversation of a file. Raises SourceFault."""
    name = top.get("name")
    opening: list[str] = []
    exchanges: list[Exchange] = []
    joined = 0
    for message in top["conversation"].items():
        match message["role"].text():
            case "user":
                text = message["text"].text()
                if exchanges and not exchanges[-1].replies:
                    exchanges[-1].user += "\n\n" + text
                    joined += 1
                else:
                    exchanges.append(Exchange(text, []))
            case "assistant":
                reply = _reply(message)
                if exchanges:
                    exchanges[-1].replies.append(reply)
                elif reply.calls:
                    help = "a user message opens a turn: put one before it"
                    raise message.fault("calls APIs before the user has spoken", help)
                else:
                    opening.append(reply.text)
            case role:
                raise message["role"].fault(f"found `{role}`", "expected user or assistant")
    if not exchanges:
        raise top["conversation"].fault("holds no user message", "fetch the file again")
    title = name.filled() if name is not None else file_name(file).removesuffix(".json")
    return Conversation(title, top, tuple(opening), exchanges, joined)


def _reply(message: Found) -> Reply:
    found = message.get("apis")
    calls = tuple(_golden(api) for api in found.items()) if found is not None else ()
    text = message.get("text")
    return Reply(calls, text.text() if text is not None else "")


def _golden(api: Found) -> Golden:
    request = api["request"]
    exception = api.get("exception")
    return Golden(
        request["api_name"].filled(),
        request["parameters"].bounded(COMPARED).object(),
        api["response"].bounded(COMPARED).value,
        exception.text() if exception is not None else None,
    )


def context_of(top: Found) -> str:
    """What ToolTalk tells the agent of the conversation: place, time and session."""
    metadata = top.get("metadata")
    if metadata is None:
        return ""
    words = {key: value.text() for key, value in metadata.members() if isinstance(value.value, str)}
    parts = [f"{words['location']}," if "location" in words else "", words.get("timestamp", "")]
    if "username" in words:
        parts.append(f"- {words['username']} is logged in")
    if "session_token" in words:
        parts.append(f"- session token {words['session_token']}")
    text = " ".join(part for part in parts if part).strip(",- ")
    return f"[{text}]" if text else ""


def recording_of(one: Conversation, system: str) -> Trajectory:
    """The conversation as a recording: a step for each call, because calls build on each other."""
    context = context_of(one.top)
    turns = []
    number = 0
    for exchange in one.exchanges:
        steps: list[Step] = []
        for reply in exchange.replies:
            for call in reply.calls:
                number += 1
                steps.append(Step(calls=(_call(call, f"call_{number}"),)))
            steps.append(Step(reply=reply.text))
        turns.append(Turn(exchange.user, tuple(steps)))
    if context:
        turns[0] = Turn(f"{context}\n\n{turns[0].user}", turns[0].steps)
    kept = ("conversation_id", "scenario", "suites_used", "metadata", "user")
    source = one.top.object()
    return Trajectory(
        one.name,
        "",
        tuple(turns),
        system=system.strip(),
        opening=tuple(Step(reply=text) for text in one.opening),
        extra={"tooltalk": {key: source[key] for key in kept if key in source}},
    )


def _call(call: Golden, id: str) -> Call:
    raw = json.dumps(dict(call.parameters), ensure_ascii=False)
    if call.exception is not None:
        return Call(id, call.api, call.parameters, raw, f"Error: {call.exception}", True)
    result = json.dumps(call.response, ensure_ascii=False)
    failed = False if has_failed(result, None) else None
    return Call(id, call.api, call.parameters, raw, result, failed)
