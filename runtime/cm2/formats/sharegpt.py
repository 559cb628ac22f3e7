"""ShareGPT dialogues: `{"conversations": [{"from": …, "value": …}]}` a line, or one JSON list.

Two ways to write tool calls are in use, and both are read, also side by side:

- LLaMA-Factory's: an entry `function_call` whose value is `{"name", "arguments"}` or a list of
  them, and an entry `observation` for what came back. Entries in a row are calls of one step. An
  observation of several calls holds their results between `<tool_response>` tags, or is a JSON
  list of as many elements;
- Hermes's: `<tool_call>{…}</tool_call>` in what the assistant says, and an entry `tool` with
  `<tool_response>{"name", "content"}</tool_response>` for each result. The call may be written as a
  Python literal, as a part of that data set is.

`system` is an entry, a key beside `conversations`, or both. `tools` stays in `extra` as it is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cm2.formats.record import Record, Reject
from cm2.formats.source import Found
from cm2.formats.streaming import dialogue, records
from cm2.trajectory import Trajectory
from cm2dsl.jsonl import JsonError, parse

HELP = "ShareGPT dialogues, with calls as LLaMA-Factory or Hermes write them"

USER = ("human", "user")
ASSISTANT = ("gpt", "assistant", "model", "chatgpt", "bing", "bard")
CALL = ("function_call", "tool_call")
RESULT = ("observation", "tool", "tool_response", "function_response")

_CALL_TAG = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_RESULT_TAG = re.compile(r"</?tool_response>")
_SCRATCH = re.compile(r"<scratch_pad>(.*?)(?:</scratch_pad>|\Z)", re.DOTALL)
# A tool's name in a call that cannot be read otherwise.
_NAME = re.compile(r"""["']name["']\s*:\s*["']([^"'\\\s]+)["']""")
_ARGUMENTS = ("arguments", "parameters")


def read(path: Path) -> Iterator[Record | Reject]:
    """The dialogues of a file. Raises SourceFault where it holds none, and OSError."""
    return records(path, _record)


def _record(found: Found, number: int) -> Record:
    return Record(_trajectory(found, number), line=found.line)


def _trajectory(found: Found, number: int) -> Trajectory:
    chat = _Chat()
    system = found.get("system")
    if system is not None and system.text():
        chat.add("system", "system", content=system.text())
    for entry in found["conversations"].items():
        chat.entry(entry, found.path)
    kept = {key: value for key, value in found.object().items() if key not in _REPLACED}
    return dialogue(found, number, {**kept, "messages": chat.messages}, chat.places)


_REPLACED = ("conversations", "system", "messages")


class _Chat:
    """The entries as OpenAI messages, and where each of them stands."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.places: list[str] = []
        self._bare: dict[str, Any] | None = None  # the step that another entry of calls goes on

    def add(self, place: str, role: str, **fields: Any) -> None:
        self.messages.append({"role": role, **fields})
        self.places.append(place)
        self._bare = None

    def entry(self, entry: Found, top: str) -> None:
        """Add what one entry says; `top` is the path of the dialogue that it is in."""
        place = entry.path.removeprefix(top).removeprefix(".")
        speaker, value = entry["from"].text(), entry["value"].text()
        if speaker in USER:
            self.add(place, "user", content=value)
        elif speaker == "system":
            if {"role": "system", "content": value} not in self.messages:
                self.add(place, "system", content=value)
        elif speaker in ASSISTANT or (speaker in CALL and "<tool_call>" in value):
            self.add(place, "assistant", **_said(value))
        elif speaker in CALL:
            self._calls(place, value)
        elif speaker in RESULT:
            self._results(place, value)
        else:
            known = ", ".join(f"`{name}`" for name in (*USER, *ASSISTANT[:2], "system", *CALL))
            raise entry["from"].wrong(f"one of {known}, {', '.join(f'`{r}`' for r in RESULT)}")

    def _calls(self, place: str, value: str) -> None:
        """An entry that is calls; right after another such entry, they are of the same step."""
        thought, calls, malformed = _bare_calls(value)
        message = self._bare
        if message is None or thought:
            self.add(place, "assistant", content=thought, tool_calls=[])
            message = self.messages[-1]
        message["tool_calls"] += calls
        if malformed:
            message["malformed"] = "\n".join([message.get("malformed", ""), malformed]).strip()
        self._bare = message

    def _results(self, place: str, value: str) -> None:
        """The results of the last assistant message's calls that this entry holds."""
        calls = self._waiting()
        tagged = bool(_RESULT_TAG.search(value))
        texts = [text.strip() for text in _RESULT_TAG.split(value) if text.strip()]
        for text in (texts or [""]) if tagged else _listed(value, len(calls)):
            result, name, id = _unwrapped(text) if tagged else (text, "", "")
            owner = next((c for c in calls if id and c.get("id") == id), None)
            owner = owner or next((c for c in calls if c["function"]["name"] == name), None)
            if owner is not None:
                calls.remove(owner)
            elif calls:
                owner = calls.pop(0)
            key = {"tool_call_id": owner["id"]} if owner and "id" in owner else {}
            tool = {"name": owner["function"]["name"]} if owner else {}
            self.add(place, "tool", content=result, **key, **tool)

    def _waiting(self) -> list[dict[str, Any]]:
        """The calls of the last assistant message that have no result yet, in order."""
        calls: list[dict[str, Any]] = []
        answered: list[dict[str, Any]] = []
        for message in reversed(self.messages):
            if message["role"] != "tool":
                calls = list(message.get("tool_calls", ()))
                break
            answered.insert(0, message)
        for result in answered:
            key = (result.get("tool_call_id"), result.get("name"))
            owner = next((c for c in calls if (c.get("id"), c["function"]["name"]) == key), None)
            if owner is not None:
                calls.remove(owner)
        return calls


# --- what the assistant writes ----------------------------------------------------------------


def _said(value: str) -> dict[str, Any]:
    """An assistant message: its words, and the calls between tags in them.

    Tags in a thought are a thought.
    """
    head, closed, text = value.rpartition("</think>")
    scratch = [found.strip() for found in _SCRATCH.findall(text)]
    if scratch:
        text = _SCRATCH.sub("", text)
    written = _CALL_TAG.findall(text)
    if written:
        text = _CALL_TAG.sub("", text)
    message: dict[str, Any] = {"content": value}
    if written or scratch:
        message["content"] = head + closed + text.strip()
    if scratch:
        message["reasoning_content"] = "\n".join(scratch)
    calls, malformed = _read_calls(written)
    if calls:
        message["tool_calls"] = calls
    if malformed:
        message["malformed"] = malformed
    return message


def _bare_calls(value: str) -> tuple[str, list[dict[str, Any]], str]:
    """(thought, calls, what cannot be read) of an entry that is calls and perhaps a thought."""
    head, closed, text = value.rpartition("</think>")
    calls, malformed = _read_calls([text])
    return head + closed, calls, malformed


def _read_calls(written: list[str]) -> tuple[list[dict[str, Any]], str]:
    """Calls as messages have them, and the texts of those whose tool cannot be read."""
    calls: list[dict[str, Any]] = []
    malformed: list[str] = []
    for text in written:
        value = _literal(text)
        for each in value if isinstance(value, list) and value else [value]:
            call = _call(each)
            if call is None and each is value and (name := _NAME.search(text)):
                call = {
                    "type": "function",
                    "function": {"name": name[1], "arguments": text.strip()},
                }
            if call is None:
                malformed.append(text.strip())
                break
            calls.append(call)
    return calls, "\n".join(malformed)


def _call(value: Any) -> dict[str, Any] | None:
    """A call that is an object with `name`, also inside `function`; None for anything else."""
    if not isinstance(value, dict):
        return None
    body = value.get("function") if isinstance(value.get("function"), dict) else value
    assert body is not None
    name = body.get("name")
    if not isinstance(name, str) or not name:
        return None
    given: Any = next((body[key] for key in _ARGUMENTS if body.get(key) is not None), {})
    if not isinstance(given, str | dict):
        given = json.dumps(given, ensure_ascii=False)
    id = value.get("id")
    key = {"id": id} if isinstance(id, str) and id else {}
    return {**key, "type": "function", "function": {"name": name, "arguments": given}}


def _literal(text: str) -> Any:
    """The value of JSON, or of a Python literal that JSON can hold; None where it is neither."""
    text = text.strip().removeprefix("\\n").removesuffix("\\n").strip()
    try:
        return parse(text)
    except JsonError:
        pass
    if not text.startswith(("{", "[")):
        return None
    try:  # literals alone: nothing is executed
        return parse(json.dumps(ast.literal_eval(text), allow_nan=False))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


# --- what came back ---------------------------------------------------------------------------


def _listed(value: str, calls: int) -> list[str]:
    """The results in an entry without tags: one, or each element of a list of as many as calls."""
    if calls > 1 and value.lstrip().startswith("["):
        try:
            results = parse(value)
        except JsonError:
            return [value]
        if isinstance(results, list) and len(results) == calls:
            return [_text(result) for result in results]
    return [value]


def _unwrapped(text: str) -> tuple[str, str, str]:
    """(result, tool, id) of Hermes's `{"name", "content"}`; any other text is the result."""
    value = _literal(text) if text.startswith("{") else None
    if not (isinstance(value, dict) and "content" in value):
        return text, "", ""
    if not value.keys() <= {"name", "content", "tool_call_id"}:
        return text, "", ""
    name, id = value.get("name"), value.get("tool_call_id")
    return (
        _text(value["content"]),
        name if isinstance(name, str) else "",
        id if isinstance(id, str) else "",
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
