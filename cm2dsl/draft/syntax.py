"""Pieces of .cm2 text: names, values, constraints and calls, quoted as the language wants them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cm2dsl.names import is_name

# An opening brace that, with what follows, has the shape of a reference: `{row.column}`.
REFERENCE = re.compile(r"\{(?=[^\W\d]\w*(?:\.[^\W\d]\w*|\[\d+\])*\})")
# Words that the grammar takes for its own where a tool or an argument may stand.
RESERVED = frozenset({"not", "any"})


def escaped(text: str) -> str:
    """The text with backslashes escaped, and braces where they would be a reference."""
    return REFERENCE.sub(r"\\{", text.replace("\\", "\\\\"))


def quoted(text: str) -> str:
    """The text as a string of the language, on one line."""
    line = escaped(text).replace('"', '\\"')
    line = line.replace("\n", "\\n").replace("\t", "\\t")
    return '"' + "".join(c if c.isprintable() or ord(c) > 0xFFFF else _code(c) for c in line) + '"'


def _code(char: str) -> str:
    return f"\\u{ord(char):04x}"


def value(wanted: Any) -> str:
    """A JSON scalar or list as a value. Raises ValueError for an object: name its parts."""
    if isinstance(wanted, str):
        return quoted(wanted)
    if isinstance(wanted, list):
        return "[" + ", ".join(value(each) for each in wanted) + "]"
    if isinstance(wanted, Mapping):
        raise ValueError("an object is no value of the language")
    return json.dumps(wanted)


def path(steps: Sequence[str | int]) -> str:
    """A path into arguments or a result."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if is_name(step) and step not in RESERVED else quoted(step)
            text += f".{word}" if text else word
    return text


def equal(steps: Sequence[str | int], wanted: Any) -> list[str]:
    """Constraints under which the value at a path is `wanted`, a JSON value.

    Objects are compared member by member, and may have other members (unless the pattern says
    `nothing else`); a list that holds objects element by element, and may have no more of them.
    """
    if isinstance(wanted, Mapping):
        if not wanted:
            return [f"{path(steps)} exists"]
        return [part for key in wanted for part in equal([*steps, key], wanted[key])]
    if isinstance(wanted, list) and _holds_object(wanted):
        parts = [part for i, each in enumerate(wanted) for part in equal([*steps, i], each)]
        return [*parts, f"not {path([*steps, len(wanted)])} exists"]
    return [f"{path(steps)} == {value(wanted)}"]


def members(steps: Sequence[str | int], wanted: Sequence[Any]) -> list[str]:
    """Constraints under which a list has these elements and no more, in any order.

    A list with objects in it, or with an element twice, is compared in its order.
    """
    plain = not _holds_object(wanted) and all(wanted.count(each) == 1 for each in wanted)
    if len(wanted) < 2 or not plain or any(isinstance(each, list) for each in wanted):
        return equal(steps, list(wanted))
    found = [f"{path(steps)} contains {value(each)}" for each in wanted]
    return [*found, f"not {path([*steps, len(wanted)])} exists"]


def _holds_object(values: Sequence[Any]) -> bool:
    return any(isinstance(v, Mapping) or (isinstance(v, list) and _holds_object(v)) for v in values)


def tool(name: str) -> str:
    return name if is_name(name) and name not in RESERVED else quoted(name)


def call(name: str, arguments: Mapping[str, Any], exact: bool = False) -> str:
    """A pattern: a call of the tool with these arguments, and with `exact` no others."""
    parts = [part for key in arguments for part in equal([key], arguments[key])]
    if exact:
        parts.append("nothing else")
    return tool(name) + (f"({', '.join(parts)})" if parts else "")
