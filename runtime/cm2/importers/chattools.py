"""The tools of chat logs: from the schemas that the dialogues carry, or from the calls in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.formats.source import Found, read_json
from cm2.trajectory import Call
from cm2dsl.schemas import EFFECTS, json_type

Schema = dict[str, Any]

DEEPEST = 6
"""Levels of an argument that a derived schema describes; below, anything may stand."""

_PARAMETERS = ("parameters", "inputSchema", "input_schema")


def read_tools(path: Path) -> list[Schema]:
    """The schemas of a tools file: a list of them, or an object with `tools`.

    Raises SourceFault, OSError.
    """
    top = read_json(path)
    found = top["tools"] if isinstance(top.value, dict) else top
    schemas: dict[str, Schema] = {}
    for each in found.items():
        schema = tool_schema(each)
        if schema is None:
            continue
        name = name_of_tool(schema)
        if name in schemas:
            raise each.fault(f"`{name}` stands twice", "keep one of the two")
        schemas[name] = schema
    if not schemas:
        raise found.fault("there is no function in here", "write a list of function schemas")
    return list(schemas.values())


def tool_schema(found: Found) -> Schema | None:
    """A tool as a wrapped OpenAI function schema; None where it is a tool but no function.

    Read are wrapped and bare functions, MCP tools, and Anthropic's. Raises SourceFault.
    """
    entry = found.object()
    wrapped = isinstance(entry.get("function"), dict)
    if not wrapped and "name" not in entry and entry.get("type", "function") != "function":
        return None
    body = found["function"] if wrapped else found
    kept = {k: v for k, v in body.object().items() if k not in _PARAMETERS}
    if not wrapped:
        kept.pop("type", None)
    kept["name"] = body["name"].filled()
    for owner in (found, body):
        effect = owner.get("x-effect")
        if effect is not None and effect.value not in EFFECTS:
            raise effect.wrong("`read`, `write` or `generic`")
    given = next((member for key in _PARAMETERS if (member := body.get(key))), None)
    kept["parameters"] = given.bounded().object() if given else {"type": "object", "properties": {}}
    rest = {k: v for k, v in entry.items() if k not in ("type", "function")} if wrapped else {}
    return {"type": "function", "function": kept, **rest}


def merge(offered: Sequence[Sequence[Schema]]) -> tuple[list[Schema], list[str]]:
    """One list of tools from those of every dialogue, and what that leaves unsaid.

    Where dialogues describe a tool differently, the description that most of them have stands; of
    those that are equally common, the first.
    """
    offered = [tools for tools in offered if tools]
    variants: dict[str, Counter[str]] = {}
    for tools in offered:
        for schema in tools:
            variants.setdefault(name_of_tool(schema), Counter())[_key(schema)] += 1
    first = {_key(schema): schema for tools in reversed(offered) for schema in tools}
    merged: list[Schema] = []
    unsaid: list[str] = []
    for name, counted in variants.items():
        text, count = counted.most_common(1)[0]
        merged.append(first[text])
        if len(counted) > 1:
            unsaid.append(
                f"`{name}` has {len(counted)} different schemas; the tools file holds the one that "
                f"stands most often ({count} of {counted.total()} times)."
            )
    partly = [name for name, counted in variants.items() if counted.total() < len(offered)]
    if partly:
        unsaid.append(
            "Not every dialogue has every tool; the spec gives all tools to each task. Missing in "
            f"some: {names(partly)}."
        )
    return merged, unsaid


def derive(calls: Iterable[Call]) -> tuple[list[Schema], list[str]]:
    """Tools with the arguments that the calls show, and what is to be written into them.

    What a call must have cannot be seen, so nothing is required and more arguments are allowed.
    """
    arguments: dict[str, list[Mapping[str, Any]]] = {}
    for call in calls:
        arguments.setdefault(call.tool, []).append(call.arguments or {})
    tools: list[Schema] = []
    for name, seen in arguments.items():
        parameters = _object_schema(seen, DEEPEST)
        tools.append({"type": "function", "function": {"name": name, "parameters": parameters}})
    if not tools:
        return [], []
    return tools, [
        f"The source holds no tool schemas: {names(list(arguments))} were made from the recorded "
        "calls. They have no descriptions, no required arguments and no enumerated values; write "
        "them in, or import again with --tools FILE."
    ]


def name_of_tool(schema: Schema) -> str:
    return str(schema["function"]["name"])


def names(known: Sequence[str], most: int = 8) -> str:
    """Names in a sentence, the first few of them."""
    shown = ", ".join(f"`{name}`" for name in known[:most])
    return shown + (f" and {len(known) - most} more" if len(known) > most else "")


def _key(schema: Schema) -> str:
    return json.dumps(schema, ensure_ascii=False, sort_keys=True)


def _object_schema(seen: Sequence[Mapping[str, Any]], depth: int) -> Schema:
    values: dict[str, list[Any]] = {}
    for each in seen:
        for key, value in each.items():
            values.setdefault(key, []).append(value)
    properties = {key: _schema(found, depth - 1) for key, found in values.items()}
    return {"type": "object", "properties": properties, "additionalProperties": True}


def _schema(seen: Sequence[Any], depth: int) -> Schema:
    """What JSON Schema says of a value that was each of these."""
    types = list(dict.fromkeys(json_type(value) for value in seen))
    if "number" in types and "integer" in types:
        types.remove("integer")
    if depth <= 0 or not types:
        return {}
    schema: Schema = {"type": types[0] if len(types) == 1 else types}
    if "object" in types:
        schema |= _object_schema([v for v in seen if isinstance(v, Mapping)], depth)
        schema["type"] = types[0] if len(types) == 1 else types
    if "array" in types:
        elements = [each for value in seen if isinstance(value, list) for each in value]
        schema["items"] = _schema(elements, depth - 1)
    return schema
