"""Where the dialogues of a run file come from: its domain, and the tools of the agent in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cm2.formats.criteria import Criteria


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run file says of itself. `domain` is empty where it does not name one.

    `tools` are those that its tasks' reference actions name for the agent; where they name none,
    those that the agent called.
    """

    file: str
    domain: str
    tools: frozenset[str]


Accept = Callable[[Origin], None]
"""Looks at an origin before a dialogue is read; raises SourceFault where it is of no use."""


def tools_of(wanted: Iterable[Criteria], dialogues: Iterable[Any]) -> frozenset[str]:
    """The tools of an origin; `dialogues` are lists of messages as they stand in the file."""
    named = {one.tool for goal in wanted for one in goal.actions if not one.by_user}
    return frozenset(named or set(_called(dialogues)))


def _called(dialogues: Iterable[Any]) -> Iterator[str]:
    """What the agent calls, in messages of which nothing is known yet."""
    for message in _objects(message for messages in dialogues for message in _list(messages)):
        if message.get("role") == "assistant":
            for call in _objects(_list(message.get("tool_calls"))):
                function = call.get("function")
                name = (function if isinstance(function, dict) else call).get("name")
                if isinstance(name, str):
                    yield name


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(values: Iterable[Any]) -> Iterator[dict[str, Any]]:
    return (value for value in values if isinstance(value, dict))
