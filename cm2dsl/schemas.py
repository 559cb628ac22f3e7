"""Tool schemas: reading them, and the JSON type that an argument path has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.aliases import ALIASES, alias_faults
from cm2dsl.diagnostic import Log
from cm2dsl.files import read_json
from cm2dsl.source import Source, Span

EFFECTS = ("read", "write", "generic")
NO_ELEMENT = re.compile(r"[\s,]*")
BOUNDS = (
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
    *("minLength", "maxLength", "pattern"),
)
TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
JSON_TYPES = frozenset(TYPES)


def read_tools(source: Source, log: Log) -> list[ir.Tool]:
    """The tools of a JSON file: OpenAI function schemas, bare or wrapped, or MCP tools."""
    data = read_json(source, log)
    if data is None:
        return []
    whole = Span(source, 0, 1)
    places = _places(source) if isinstance(data, list) else []
    if isinstance(data, dict) and isinstance(data.get("tools"), list):
        data = data["tools"]
        places = [whole] * len(data)
    if not isinstance(data, list):
        help = "write a JSON list of function schemas"
        log.error("E404", "the tools are not a list", whole, help)
        return []
    tools: list[ir.Tool] = []
    aliased = ALIASES in source.text
    for entry, span in zip(data, places, strict=True):
        tool = _read_tool(entry, span, log)
        if tool is None:
            continue
        for fault in alias_faults(tool.parameters) if aliased else ():
            log.error("E404", f"in `{tool.name}`, {fault.message}", span, fault.help)
        if any(tool.name == other.name for other in tools):
            log.error("E404", f"tool `{tool.name}` stands twice", span, "keep one of the two")
            continue
        tools.append(tool)
    return tools


def _places(source: Source) -> list[Span]:
    """Where the elements of a JSON list stand."""
    decoder = json.JSONDecoder()
    spans: list[Span] = []
    start = NO_ELEMENT.match(source.text, source.text.index("[") + 1).end()  # type: ignore[union-attr]
    while source.text[start] != "]":
        _, stop = decoder.raw_decode(source.text, start)
        spans.append(Span(source, start, stop))
        start = NO_ELEMENT.match(source.text, stop).end()  # type: ignore[union-attr]
    return spans


def _read_tool(entry: Any, span: Span, log: Log) -> ir.Tool | None:
    body = entry.get("function", entry) if isinstance(entry, dict) else entry
    if not isinstance(body, dict) or not isinstance(body.get("name"), str) or not body["name"]:
        help = 'write {"name": …, "description": …, "parameters": {…}}'
        log.error("E404", "this tool has no name", span, help)
        return None
    name = body["name"]
    parameters = body.get("parameters", body.get("inputSchema", {"type": "object"}))
    if not isinstance(parameters, dict):
        help = "`parameters` is a JSON Schema of type object"
        log.error("E404", f"the parameters of `{name}` are not an object", span, help)
        return None
    effect = body.get("x-effect", entry.get("x-effect"))
    if effect is not None and effect not in EFFECTS:
        help = "write read, write or generic"
        written = json.dumps(effect, ensure_ascii=False)
        log.error("E404", f"`x-effect` of `{name}` is `{written}`", span, help)
        effect = None
    return ir.Tool(
        name=name,
        description=str(body.get("description") or ""),
        parameters=parameters,
        effect=effect,
        returns=_returns(name, body.get("outputSchema", entry.get("outputSchema")), span, log),
    )


def _returns(name: str, schema: Any, span: Span, log: Log) -> dict[str, Any] | None:
    """The schema of a tool's results, where it has one that can be one."""
    if schema is None:
        return None
    if not isinstance(schema, dict):
        help = '`outputSchema` is a JSON Schema: {"type": "object", "properties": {…}}'
        log.error("E404", f"the `outputSchema` of `{name}` is not an object", span, help)
        return None
    said = schema.get("type", [])
    wrong = [each for each in (said if isinstance(said, list) else [said]) if each not in TYPES]
    if wrong:
        written = json.dumps(wrong[0], ensure_ascii=False)
        help = f"write one of {', '.join(TYPES)}"
        log.error("E404", f"the `outputSchema` of `{name}` has the type `{written}`", span, help)
        return None
    return schema


class PathType(Struct, frozen=True):
    """What a schema says of a path. `types` is empty where it says nothing."""

    types: frozenset[str] = frozenset()
    choices: tuple[Any, ...] | None = None
    limits: Mapping[str, Any] | None = None
    """The bounds that the schema sets, by its own words; None without any, or of several types."""


class NoSuchKey(Struct, frozen=True):
    """The schema rules the path out at `key`; `known` are the keys that there are."""

    key: str
    known: tuple[str, ...]


def type_at(schema: dict[str, Any], path: ir.Path) -> PathType | NoSuchKey:
    """The type that `schema` (a JSON Schema of an object) gives to the value at `path`."""
    current = [schema]
    for step in path:
        following: list[dict[str, Any]] = []
        open_ended = False
        known: set[str] = set()
        for option in _options(schema, current):
            found = _step(option, step, known)
            if found is None:
                continue
            if found == {}:
                open_ended = True
            following.append(found)
        if open_ended or not current:
            return PathType()
        if not following:
            key = "[*]" if step is None else str(step)
            return NoSuchKey(key, tuple(sorted(known)))
        current = following
    types: set[str] = set()
    choices: list[Any] = []
    limited = True
    for option in _options(schema, current):
        own, values = _types(option)
        if own == {"null"}:
            types |= own
            continue
        if not own:
            return PathType()
        types |= own
        if values is None:
            limited = False
        else:
            choices += [value for value in values if value not in choices]
    last = _options(schema, current)
    bounds = {word: last[0][word] for word in BOUNDS if word in last[0]}
    limits = bounds if bounds and len(last) == 1 else None
    return PathType(frozenset(types), tuple(choices) if limited and choices else None, limits)


def _options(root: dict[str, Any], schemas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The schemas with `$ref`, `anyOf` and `oneOf` opened."""
    result: list[dict[str, Any]] = []
    queue = list(schemas)
    seen: set[str] = set()
    while queue:
        schema = queue.pop(0)
        ref = schema.get("$ref")
        if isinstance(ref, str):
            if ref not in seen:
                seen.add(ref)
                queue.append(resolve(root, ref))
        elif _types(schema)[0]:  # what else it says narrows the type, and cannot widen it
            result.append(schema)
        elif isinstance(options := schema.get("anyOf", schema.get("oneOf")), list):
            queue += [option for option in options if isinstance(option, dict)]
        elif isinstance(parts := schema.get("allOf"), list) and len(parts) == 1:
            queue.append(parts[0] if isinstance(parts[0], dict) else {})
        else:
            result.append(schema)
    return result or [{}]  # a circle of references says nothing


def resolve(root: dict[str, Any], ref: str) -> dict[str, Any]:
    """What a reference within `root` names, `#/$defs/city`; {} where there is no such schema."""
    node: Any = root
    for key in ref.removeprefix("#/").split("/"):
        node = node.get(key, {}) if isinstance(node, dict) else {}
    return node if isinstance(node, dict) else {}


def _step(schema: dict[str, Any], step: str | int | None, known: set[str]) -> dict[str, Any] | None:
    """The schema one step on: {} where anything may stand, None where nothing can."""
    own, _ = _types(schema)
    if not own:
        return {}
    if isinstance(step, str):
        if "object" not in own:
            return None
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return {}
        known.update(properties)
        if step in properties:
            found = properties[step]
            return found if isinstance(found, dict) else {}
        more = schema.get("additionalProperties", False)
        if more is False:
            return None
        return more if isinstance(more, dict) else {}
    if "array" not in own:
        return None
    items = schema.get("items", {})
    return items if isinstance(items, dict) else {}


def _types(schema: dict[str, Any]) -> tuple[set[str], tuple[Any, ...] | None]:
    """The JSON types of a schema and its enumerated values, their other spellings too."""
    values = schema.get("enum")
    if values is None and "const" in schema:
        values = [schema["const"]]
    written = schema.get("type")
    types = {written} if isinstance(written, str) else set()
    if isinstance(written, list):
        types = {each for each in written if isinstance(each, str)}
    if not types and isinstance(values, list):
        types = {json_type(value) for value in values}
    if not types and "properties" in schema:
        types = {"object"}
    if not types <= JSON_TYPES:  # a dialect of its own (`float`, `dict`): nothing is known
        return set(), None
    if not isinstance(values, list):
        return types, None
    aliases = schema.get(ALIASES)
    for others in aliases.values() if isinstance(aliases, dict) else ():
        values = [*values, *(others if isinstance(others, list) else [])]
    return types, tuple(values)


def json_type(value: Any) -> str:
    """The JSON Schema type of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
