"""A recorded call as a check: what of its arguments makes it the right one.

Ids, enumerated values, numbers and short names are compared as they are. Free text is not: nobody
writes a sentence twice in the same words. What the schema has no place for cannot be said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm2dsl.draft.syntax import path as path_text
from cm2dsl.draft.syntax import tool as tool_text
from cm2dsl.draft.syntax import value as value_text
from cm2dsl.init.tools import Tool
from cm2dsl.schemas import NoSuchKey, json_type, type_at

MOST = 8
"""Constraints of one check. A call with more is known by the first of them."""
DEEPEST = 4
ELEMENTS = 5
"""Elements up to which a list is compared one by one."""

WORDS = 4
LETTERS = 60
HAN = 12
"""Words, letters without a space and Chinese letters up to which a text is a name or an id."""

NOTHING = "nothing else"
"""What the language writes for a call without any argument."""

ENDS = re.compile(r"[.!?。！？]\s*\Z|\n")
HANZI = re.compile(r"[\u3400-\u9fff]")
FREE = re.compile(
    r"(?i)(?:^|_|-|\b)(?:body|caption|comment|comments|content|contents|description|details|message"
    r"|msg|note|notes|prompt|question|query|reason|remark|remarks|summary|text|thought|title)\Z"
    r"|(?<=[a-z])(?:Body|Comment|Content|Description|Message|Note|Notes|Reason|Summary|Text)\Z"
    r"|说明|备注|原因|理由|内容|留言|描述|消息"
)
"""Names of arguments that hold somebody's own words, also where these are few."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a check says of a call. `free` are the arguments that hold free text, by name."""

    tool: str
    constraints: tuple[str, ...]
    free: tuple[str, ...] = ()

    @property
    def loose(self) -> bool:
        """Whether it says of no argument what it must be."""
        return all(part == NOTHING or part.endswith(" exists") for part in self.constraints)

    @property
    def text(self) -> str:
        """The call as the language writes it."""
        inside = f"({', '.join(self.constraints)})" if self.constraints else ""
        return tool_text(self.tool) + inside


def pattern_of(tool: Tool, arguments: Mapping[str, Any] | None) -> Pattern:
    """The pattern of a recorded call.

    Of a read only the arguments that it must have count: how many results it wants, and in which
    order, is the agent's business.
    """
    given = dict(arguments or {})
    if tool.effect == "read" and not set(given).isdisjoint(tool.required):
        given = {key: value for key, value in given.items() if key in tool.required}
    found: list[str] = []
    free: list[str] = []
    for key, value in given.items():
        before = len(found)
        for part in _constraints(tool.parameters, [key], value):
            if part is None:
                free.append(key)
            else:
                found.append(part)
        if key in free and len(found) == before:
            known = not isinstance(type_at(tool.parameters, (key,)), NoSuchKey)
            found += [f"{path_text([key])} exists"] * known
    if arguments == {} and tool.effect == "write" and tool.properties:
        found.append(NOTHING)
    return Pattern(tool.name, tuple(found[:MOST]), tuple(dict.fromkeys(free)))


def _constraints(
    schema: dict[str, Any], steps: list[str | int], value: Any
) -> Iterator[str | None]:
    """The constraints for the value at a path; None for free text."""
    expected = type_at(schema, tuple(steps))
    if isinstance(expected, NoSuchKey) or value is None or len(steps) > DEEPEST:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _constraints(schema, [*steps, key], inner)
    elif isinstance(value, list):
        if expected.types and "array" not in expected.types:
            return
        yield from _elements(schema, steps, value)
    elif expected.choices is not None and len(expected.choices) < 2:
        return  # every call has it
    elif _fits(value, expected.types, expected.choices):
        plain = expected.choices is not None or not isinstance(value, str)
        free = not plain and is_free(str(value), _name(steps))
        long = isinstance(value, str) and len(value.split()) > WORDS  # a choice that is a sentence
        yield (
            None
            if free
            else f"{path_text(steps)} {'contains' if long else '=='} {value_text(value)}"
        )


def _elements(
    schema: dict[str, Any], steps: list[str | int], values: Sequence[Any]
) -> Iterator[str | None]:
    """The constraints for a list: each element in its place, and no more of them."""
    if len(values) > ELEMENTS:
        yield f"{path_text(steps)} exists"
        return
    for place, value in enumerate(values):
        yield from _constraints(schema, [*steps, place], value)
    yield f"not {path_text([*steps, len(values)])} exists"


def _fits(value: Any, types: frozenset[str], choices: tuple[Any, ...] | None) -> bool:
    """Whether the compiler takes a scalar where the schema has these types and choices."""
    kinds = {json_type(value)}
    if kinds == {"integer"} or (kinds == {"number"} and float(value).is_integer()):
        kinds = {"integer", "number"}
    return not types or (bool(kinds & types) and (choices is None or value in choices))


def _name(steps: Sequence[str | int]) -> str:
    return next(str(step) for step in reversed(steps) if isinstance(step, str))


def is_free(text: str, name: str) -> bool:
    """Whether a text is somebody's own words, and no id or name. `name` is its argument's."""
    han, words = len(HANZI.findall(text)), len(text.split())
    if not text.strip() or words > WORDS or han > HAN or ENDS.search(text):
        return True
    if FREE.search(name) and (words > 1 or han > WORDS):
        return True
    return len(text) > LETTERS


def quotable(text: str, most: int = LETTERS) -> str:
    """A piece of a call's written arguments that shows a text: without what JSON would escape."""
    pieces = re.split(r"\\.|[\"\n]", json.dumps(text, ensure_ascii=False)[1:-1])
    piece = max((one.strip() for one in pieces), key=len, default="")
    return piece if len(piece) <= most else piece[: most + 1].rpartition(" ")[0] or piece[:most]
