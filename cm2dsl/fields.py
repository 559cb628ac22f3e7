"""The fields of a chat message, of the type they must have, or an error that says where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class ChatError(Exception):
    """A line that is no dialogue: where, what is wrong (`message`), what to do (`help`).

    `index` is the chat message's, from 0; None is the line itself.
    """

    def __init__(self, file: str, line: int, index: int | None, message: str, help: str) -> None:
        if index is not None:
            message = f"messages[{index}]: {message}"
        super().__init__(f"{file}:{line}: error: {message}\n  = help: {help}")
        self.file = file
        self.line = line
        self.index = index
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and the faults that are reported there."""

    file: str
    line: int
    index: int | None = None
    path: str = ""

    def error(self, message: str, help: str) -> ChatError:
        where = f"{self.path}: " if self.path else ""
        return ChatError(self.file, self.line, self.index, where + message, help)

    def wrong(self, key: str, value: Any, expected: str) -> ChatError:
        return self.error(f"`{key}` is {shown(value)}", f"expected {expected}")

    def string(self, record: Mapping[str, Any], key: str, default: str = "") -> str:
        """A string; absent and null are the default."""
        value = record.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self.wrong(key, value, "a string")
        return value

    def list(self, record: Mapping[str, Any], key: str) -> Sequence[Any]:
        value = record.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        return value

    def flag(self, record: Mapping[str, Any], key: str) -> bool:
        value = record.get(key)
        if not (value is None or isinstance(value, bool)):
            raise self.wrong(key, value, "true or false")
        return bool(value)

    def content(self, message: Mapping[str, Any], *, needed: bool = True) -> str:
        """The text of a message: a string, null, or a list of text parts, which are joined."""
        if needed and "content" not in message:
            raise self.error("`content` is missing", "expected a string or a list of text parts")
        value = message.get("content")
        if not isinstance(value, list):
            if not (value is None or isinstance(value, str)):
                raise self.wrong("content", value, "a string or a list of text parts")
            return value or ""
        for i, part in enumerate(value):
            if not (isinstance(part, dict) and part.get("type") == "text"):
                raise self.wrong(f"content[{i}]", part, 'a part {"type": "text", "text": …}')
            if not isinstance(part.get("text"), str):
                raise self.wrong(f"content[{i}].text", part.get("text"), "a string")
        return "".join(part["text"] for part in value)


def shown(value: Any) -> str:
    """A JSON value in a message: short, and in backticks."""
    if value is None:
        return "missing or null"
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 40 else f"`{text[:39]}…`"
