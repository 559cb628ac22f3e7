"""Arguments that a tool's schema allows: always the same, and chosen without a thought."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cm2dsl import ir
from cm2dsl.floor.pattern import text_for

Schema = Mapping[str, Any]

DEEPEST = 5
"""Schemas in each other that are followed: one may refer to itself."""

OPTIONAL = 3
"""Objects in each other whose optional members are given: each may have many."""

MOST = 1_000
"""Letters of a text and elements of a list, however many a schema wants."""

FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "a@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}


def arguments_for(tool: ir.Tool, every: bool) -> dict[str, Any]:
    """Arguments for a call: those that are required, or `every` one that the schema names.

    Of several values that may stand, the first that the schema says; otherwise a short one of the
    type. Where a schema wants what cannot be made so (`not`, `if`), the call may not meet it.
    """
    value = _value(tool.parameters, tool.parameters, every, 0)
    return value if isinstance(value, dict) else {}


def _value(schema: Any, root: Schema, every: bool, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return None if depth > DEEPEST else "a"
    if "const" in schema:
        return schema["const"]
    if schema.get("default") is not None:  # null stands for "none was said", whatever the type
        return schema["default"]
    for word in ("enum", "examples"):
        if isinstance(schema.get(word), list) and schema[word]:
            return schema[word][0]
    if isinstance(schema.get("$ref"), str):
        return _value(_referred(root, schema["$ref"]), root, every, depth + 1)
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list) and schema[word]:
            rest = {key: value for key, value in schema.items() if key != word}
            return _value(_joined(rest, schema[word][0], root), root, every, depth + 1)
    if isinstance(schema.get("allOf"), list):
        whole: Schema = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            whole = _joined(whole, part, root)
        return _value(whole, root, every, depth + 1)
    return _of_kind(_kind(schema), schema, root, every, depth)


def _kind(schema: Schema) -> str:
    written = schema.get("type")
    if isinstance(written, list):
        written = written[0] if written else None
    if isinstance(written, str):
        return written
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _of_kind(kind: str, schema: Schema, root: Schema, every: bool, depth: int) -> Any:
    if kind in ("object", "dict"):
        return _object(schema, root, every, depth)
    if kind in ("array", "list", "tuple"):
        least = _bound(schema, "minItems", 1 if every and depth < OPTIONAL else 0)
        return [_value(schema.get("items", {}), root, every, depth + 1)] * least
    if kind in ("integer", "number", "float"):
        return _number(schema, kind == "integer")
    if kind in ("boolean", "null"):
        return False if kind == "boolean" else None
    return _text(schema)


def _object(schema: Schema, root: Schema, every: bool, depth: int) -> dict[str, Any]:
    known = schema.get("properties")
    known = known if isinstance(known, Mapping) else {}
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    wanted = [*required, *(known if every and depth < OPTIONAL else ())]
    return {
        name: _value(known.get(name, {}), root, every, depth + 1)
        for name in dict.fromkeys(one for one in wanted if isinstance(one, str))
    }


def _number(schema: Schema, whole: bool) -> int | float:
    """The number nearest to 1 that is not out of bounds and a multiple of what it has to be."""

    def bound(word: str) -> float | None:
        found = schema.get(word)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None

    value: float = 1
    if (low := bound("minimum")) is not None:
        value = max(value, low)
    if (above := bound("exclusiveMinimum")) is not None:
        value = max(value, math.floor(above) + 1)
    if (high := bound("maximum")) is not None:
        value = min(value, high)
    if (below := bound("exclusiveMaximum")) is not None and value >= below:
        value = math.ceil(below) - 1
    if (step := bound("multipleOf")) is not None and step > 0:
        with suppress(OverflowError):  # numbers that no tool takes
            value = math.ceil(value / step) * step
    fits = isinstance(value, float) and math.isfinite(value)
    return math.ceil(value) if whole and fits else value


def _text(schema: Schema) -> str:
    if isinstance(schema.get("pattern"), str):
        return text_for(schema["pattern"]) or "a"
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    return "a" * _bound(schema, "minLength", 1)


def _bound(schema: Schema, word: str, otherwise: int) -> int:
    """How many the schema wants at least."""
    least = schema.get(word, otherwise)
    return min(least, MOST) if type(least) is int else otherwise


def _joined(one: Schema, other: Any, root: Schema) -> Schema:
    """Two schemas that both hold, as one: members are joined, and else the second counts."""
    if isinstance(other, Mapping) and isinstance(other.get("$ref"), str):
        other = _referred(root, other["$ref"])
    if not isinstance(other, Mapping):
        return one
    joined = {**one, **other}
    for word in ("properties", "required"):
        first, second = one.get(word), other.get(word)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            joined[word] = {**first, **second}
        elif isinstance(first, list) and isinstance(second, list):
            joined[word] = [*first, *second]
    return joined


def _referred(root: Schema, reference: str) -> Any:
    """What a reference within the schema leads to; nothing is known of any other."""
    found: Any = root
    for key in reference.removeprefix("#").split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if found is not None else {}
