"""OpenAI chat JSONL in and out: one dialogue a line (docs/trajectories.md has the format).

What is written reads back equal. Five keys are ours, for what OpenAI's format cannot say:
`malformed` and `verbatim` on an assistant message, `malformed` and `raw` on a call, `error` on a
result. A user message may have `tool_calls` too, where the user has tools.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from cm2dsl.fields import ChatError, Place, shown
from cm2dsl.jsonl import JsonError, lines, parse, parse_object
from cm2dsl.trajectory import Call, Step, Trajectory, Turn

__all__ = ["ChatError", "arguments", "from_chat", "read", "read_lines", "to_chat"]

_ROLES = "system, developer, user, assistant, tool or function"
_OWN = ("id", "task", "messages")
_THINK = re.compile(r"(</?think>)")


def read(path: str | PathLike[str]) -> Iterator[Trajectory]:
    """The dialogues of a file, one at a time; blank lines are skipped.

    Raises ChatError at the first line that is not a dialogue, and OSError.
    """
    with Path(path).open("rb") as file:
        yield from read_lines(file, str(path))


def read_lines(file: Iterable[bytes], name: str) -> Iterator[Trajectory]:
    """The dialogues of a file's lines; `name` is for messages. Raises ChatError."""
    for number, line in lines(file):
        try:
            value = parse(line)
        except JsonError as error:
            raise ChatError(name, number, None, error.message, error.help) from None
        yield from_chat(value, file=name, line=number)


def from_chat(value: Any, *, file: str, line: int) -> Trajectory:
    """The dialogue of one JSON value; `file` and `line` are for messages. Raises ChatError."""
    place = Place(file, line)
    if not isinstance(value, dict):
        raise place.error(f"found {shown(value)}", "expected an object with `messages`")
    if "messages" not in value:
        raise place.error("`messages` is missing", "it is the list of OpenAI chat messages")
    dialogue = _Dialogue()
    for index, message in enumerate(place.list(value, "messages")):
        dialogue.add(message, replace(place, index=index))
    opening, *turns = dialogue.turns
    return Trajectory(
        id=place.string(value, "id", default=str(line)),
        task=place.string(value, "task"),
        turns=tuple(Turn(turn.user, tuple(turn.steps), tuple(turn.acts)) for turn in turns),
        system="\n\n".join(dialogue.system),
        opening=tuple(opening.steps),
        extra={key: value[key] for key in value if key not in _OWN},
    )


def to_chat(trajectory: Trajectory) -> dict[str, Any]:
    """The dialogue as a JSON object, from which `from_chat` makes an equal trajectory.

    Raises ValueError where calls of one step share an id, so that their results would be mixed up.
    """
    messages: list[dict[str, Any]] = []
    if trajectory.system:
        messages.append({"role": "system", "content": trajectory.system})
    for step in trajectory.opening:
        messages += _step_messages(step)
    for turn in trajectory.turns:
        if turn.acts:
            entries = [_call_entry(call) for call in turn.acts]
            messages.append({"role": "user", "content": "", "tool_calls": entries})
            messages += _results(turn.acts)
        messages.append({"role": "user", "content": turn.user})
        for step in turn.steps:
            messages += _step_messages(step)
    task = {"task": trajectory.task} if trajectory.task else {}
    extra = {key: trajectory.extra[key] for key in trajectory.extra if key not in _OWN}
    return {"id": trajectory.id, **task, "messages": messages, **extra}


def arguments(text: str) -> dict[str, Any] | None:
    """The arguments that a call's text stands for; None where it is not strictly a JSON object."""
    return parse_object(text)


# --- reading ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _OpenTurn:
    """`acting`: the user has called tools and not spoken since."""

    user: str
    steps: list[Step] = field(default_factory=list)
    acts: list[Call] = field(default_factory=list)
    acting: bool = False


class _Dialogue:
    """A dialogue while its messages come in; the first turn holds what precedes any user."""

    def __init__(self) -> None:
        self.system: list[str] = []
        self.turns = [_OpenTurn("")]

    def add(self, message: Any, place: Place) -> None:
        if not isinstance(message, dict):
            raise place.error(f"found {shown(message)}", "expected an object with `role`")
        match message.get("role"):
            case "system" | "developer":
                self.system.append(place.content(message))
            case "user":
                self._add_user(message, place)
            case "assistant":
                self.turns[-1].steps.append(_read_step(message, place))
            case "tool" | "function":
                self._add_result(message, place)
            case role:
                raise place.wrong("role", role, _ROLES)

    def _add_user(self, message: Mapping[str, Any], place: Place) -> None:
        """A user message opens a turn, unless the user is still acting in the last one."""
        calls = _read_calls(message, place)
        text = place.content(message, needed=not calls)
        if not (self.turns[-1].acting and not self.turns[-1].steps):
            self.turns.append(_OpenTurn(""))
        turn = self.turns[-1]
        turn.user = "\n".join(part for part in (turn.user, text) if part)
        turn.acts += calls
        turn.acting = bool(calls)

    def _add_result(self, message: Mapping[str, Any], place: Place) -> None:
        result = place.content(message)
        wanted, tool = place.string(message, "tool_call_id"), place.string(message, "name")
        turn = self.turns[-1]
        steps = turn.steps
        calls = list(steps[-1].calls) if steps else list(turn.acts)
        found = _waiting(calls, wanted, tool)
        if found is None:
            whose = f" for `{wanted or tool}`" if wanted or tool else ""
            open_calls = [f"`{call.id or call.tool}`" for call in calls if call.result is None]
            help = "results follow the assistant message that calls, one for each call"
            if open_calls:
                help = f"the calls that wait are {', '.join(open_calls)}"
            raise place.error(f"no call waits for this result{whose}", help)
        calls[found] = replace(calls[found], result=result, failed=_flagged(message, place))
        if steps:
            steps[-1] = replace(steps[-1], calls=tuple(calls))
        else:
            turn.acts = calls


def _flagged(message: Mapping[str, Any], place: Place) -> bool | None:
    """What `error` on a result says: true, false, or text that says what went wrong."""
    error = message.get("error")
    if not (error is None or isinstance(error, bool | str)):
        raise place.wrong("error", error, "true, false or the text of the error")
    return bool(error) if error is not None else None


def _waiting(calls: Sequence[Call], wanted: str, tool: str) -> int | None:
    """The call that a result belongs to: by id, else by order (among calls of `tool`, if named).

    A result whose id no call has goes to the first call that has none.
    """
    waiting = [i for i, call in enumerate(calls) if call.result is None]
    if wanted:
        name = wanted if any(call.id == wanted for call in calls) else ""
        return next((i for i in waiting if calls[i].id == name), None)
    return next((i for i in waiting if tool in ("", calls[i].tool)), None)


def _read_step(message: Mapping[str, Any], place: Place) -> Step:
    calls = _read_calls(message, place)
    said = [place.string(message, key) for key in ("reasoning_content", "reasoning")]
    reply = place.content(message, needed=not (calls or any(said)))
    if not place.flag(message, "verbatim"):
        thoughts, reply = _split(reply)
        said += thoughts
    malformed = message.get("malformed")
    if not (malformed is None or isinstance(malformed, bool | str)):
        raise place.wrong("malformed", malformed, "true, false or the text of the call")
    if malformed is True:
        malformed, reply = reply, ""
    return Step(
        reply=reply,
        reasoning="\n".join(dict.fromkeys(text for text in said if text)),
        calls=calls,
        malformed=malformed if isinstance(malformed, str) else None,
    )


def _split(content: str) -> tuple[list[str], str]:
    """(thoughts, reply) of a content with `<think>…</think>` in it.

    A thought that is never closed goes on to the end; one that is only closed began at the start,
    because the chat template had opened it.
    """
    first, *rest = _THINK.split(content)
    if not rest:
        return [], content
    inside = rest[0] == "</think>"
    pieces = [(inside, first)]
    pieces += [(rest[i] == "<think>", rest[i + 1]) for i in range(0, len(rest), 2)]
    thoughts = [text.strip() for inside, text in pieces if inside]
    reply = "".join(text for inside, text in pieces if not inside)
    return [text for text in thoughts if text], reply.strip()


def _read_calls(message: Mapping[str, Any], place: Place) -> tuple[Call, ...]:
    legacy = message.get("function_call")
    if message.get("tool_calls") is None:
        return () if legacy is None else (_read_call(legacy, {}, place, "function_call"),)
    if legacy is not None:
        raise place.error("both `tool_calls` and `function_call`", "keep `tool_calls`")
    calls = []
    for i, call in enumerate(place.list(message, "tool_calls")):
        inner = replace(place, path=f"tool_calls[{i}]")
        if not isinstance(call, dict):
            raise inner.error(f"found {shown(call)}", "expected an object with `function`")
        calls.append(_read_call(call.get("function"), call, inner, "function"))
    return tuple(calls)


def _read_call(function: Any, call: Mapping[str, Any], place: Place, key: str) -> Call:
    """A call; `key` is where its `function` stands."""
    if not isinstance(function, dict):
        raise place.wrong(key, function, "an object with `name` and `arguments`")
    name, given = function.get("name"), function.get("arguments")
    if not isinstance(name, str):
        raise place.wrong(f"{key}.name", name, "the name of a tool")
    if not isinstance(given, str | dict):
        raise place.wrong(f"{key}.arguments", given, "an object, or a string that holds one")
    raw = given if isinstance(given, str) else _dumps(given)
    read = arguments(given) if isinstance(given, str) else given
    return Call(
        id=place.string(call, "id"),
        tool=name,
        arguments=None if place.flag(call, "malformed") else read,
        raw=place.string(call, "raw", default=raw),
    )


# --- writing ----------------------------------------------------------------------------------


def _step_messages(step: Step) -> list[dict[str, Any]]:
    """An assistant message and the results that follow it, in the order of the calls."""
    message: dict[str, Any] = {"role": "assistant", "content": step.reply}
    if step.reasoning:
        message["reasoning_content"] = step.reasoning
    if step.calls:
        message["tool_calls"] = [_call_entry(call) for call in step.calls]
    if step.malformed is not None:
        message["malformed"] = step.malformed
    if _split(step.reply)[1] != step.reply:
        message["verbatim"] = True
    return [message, *_results(step.calls)]


def _results(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """The results of some calls, in their order."""
    results = []
    waiting = [replace(call, result=None) for call in calls]
    for i, call in enumerate(calls):
        if call.result is None:
            continue
        if _waiting(waiting, call.id, call.tool) != i:
            raise ValueError(f"two calls of one step have the id `{call.id}`; give each its own")
        waiting[i] = call
        key = {"tool_call_id": call.id} if call.id else {}
        error = {"error": call.failed} if call.failed is not None else {}
        content = {"name": call.tool, "content": call.result}
        results.append({"role": "tool", **key, **content, **error})
    return results


def _call_entry(call: Call) -> dict[str, Any]:
    function: dict[str, Any] = {"name": call.tool, "arguments": call.raw}
    entry: dict[str, Any] = {"id": call.id} if call.id else {}
    entry |= {"type": "function", "function": function}
    meant = arguments(call.raw)
    if call.arguments is None:
        if meant is not None:
            entry["malformed"] = True
    elif meant is None or _dumps(meant) != _dumps(call.arguments):
        function["arguments"] = dict(call.arguments)
        entry["raw"] = call.raw
    return entry


def _dumps(arguments: Mapping[str, Any]) -> str:
    return json.dumps(dict(arguments), ensure_ascii=False)
