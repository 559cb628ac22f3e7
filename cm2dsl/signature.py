"""A tool on one line, for a reader who must know what it takes, not call it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cm2dsl import ir


def signature(tool: ir.Tool) -> str:
    """`book(id: string, bags?: integer, cabin: "business"|"economy"): what it does`."""
    head = f"{tool.name}({_members(tool.parameters)})"
    says = " ".join(tool.description.split())
    return f"{head}: {says}" if says else head


def _members(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {_type(each)}"
        for name, each in properties.items()
    )


def _type(schema: Any) -> str:
    """A JSON Schema in a few letters; `any` for what it does not say, or says by reference."""
    if not isinstance(schema, Mapping):
        return "any"
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return "|".join(_value(value) for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return "|".join(dict.fromkeys(_type(each) for each in schema[several]))
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    names = kinds if isinstance(kinds, list) else [kinds]
    return "|".join(_named(name, schema) for name in names)


def _named(name: Any, schema: Mapping[str, Any]) -> str:
    if name == "array":
        return f"[{_type(schema.get('items'))}]"
    if name == "object" and schema.get("properties"):
        return f"{{{_members(schema)}}}"
    return str(name)


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
