"""Tool schemas: those that a source brings, and those that are made from its calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.formats.source import Found, read_json
from cm2dsl.schemas import EFFECTS, JSON_TYPES, NoSuchKey, json_type, type_at


def read_tools(path: Path) -> list[dict[str, Any]]:
    """The tools of a JSON file, each as `{"type": "function", "function": {…}}`.

    Raises SourceFault and OSError.
    """
    whole = read_json(path)
    tools = whole["tools"] if isinstance(whole.value, dict) else whole
    found: dict[str, dict[str, Any]] = {}
    for tool in tools.items():
        body = tool.get("function") or tool
        name = body["name"].filled()
        if name in found:
            raise body["name"].fault(f"`{name}` stands twice", "keep one of the two")
        function = dict(body.object())
        effect = tool.get("x-effect") or body.get("x-effect")
        if effect is not None:
            if effect.value not in EFFECTS:
                raise effect.wrong("`read`, `write` or `generic`")
            function["x-effect"] = effect.value
        if "parameters" not in function and "inputSchema" in function:
            function["parameters"] = function.pop("inputSchema")
        check_parameters(body)
        found[name] = {"type": "function", "function": function}
    return list(found.values())


def check_parameters(body: Found) -> None:
    """Raises SourceFault where a function's parameters are no schema of an object."""
    for key in ("parameters", "inputSchema", "input_schema"):
        if key in body.object():
            parameters = body[key].bounded()
            kind = parameters.object().get("type")
            if isinstance(kind, str) and kind in JSON_TYPES - {"object"}:
                raise parameters["type"].wrong("`object`: arguments have names")
            properties = parameters.get("properties")
            for _, schema in properties.members() if properties is not None else ():
                if not isinstance(schema.value, bool):
                    schema.object()


def derived(calls: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Schemas of the tools that were called: every argument that was seen, with its types.

    An argument is required that every call of the tool has.
    """
    by_tool: dict[str, list[Mapping[str, Any]]] = {}
    for tool, arguments in calls:
        by_tool.setdefault(tool, []).append(arguments)
    return [
        {"type": "function", "function": {"name": tool, "parameters": _parameters(seen)}}
        for tool, seen in by_tool.items()
    ]


def _parameters(seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = dict.fromkeys(key for arguments in seen for key in arguments)
    properties = {
        key: _schema([arguments[key] for arguments in seen if key in arguments]) for key in keys
    }
    required = [key for key in keys if all(key in arguments for arguments in seen)]
    return {"type": "object", "properties": properties, "required": required}


def _schema(values: Sequence[Any]) -> dict[str, Any]:
    types = sorted({json_type(value) for value in values})
    if "integer" in types and "number" in types:
        types.remove("integer")
    return {"type": types[0] if len(types) == 1 else types}


def loosened(
    tools: Sequence[dict[str, Any]],
    calls: Iterable[tuple[str, Mapping[str, Any]]],
    unknown: bool = False,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The tools, where an argument that some call contradicts may be anything; and a sentence each.

    A reference call is right, also where the schema forbids it. `unknown`: a key that the schema
    does not know is a contradiction too.
    """
    schemas: dict[str, dict[str, Any]] = {
        tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in tools
    }
    opened: dict[tuple[str, str], None] = {}
    for name, arguments in calls:
        for key in arguments:
            if _contradicts(schemas.get(name, {}), [key], arguments[key], unknown):
                opened[name, key] = None
    for name, key in opened:
        properties = schemas[name].get("properties") or {}
        known = properties[key] if isinstance(properties.get(key), dict) else {}
        kept = {word: known[word] for word in ("description",) if word in known}
        schemas[name] = {**schemas[name], "properties": {**properties, key: kept}}
    made = [
        {**tool, "function": {**tool["function"], "parameters": schemas[tool["function"]["name"]]}}
        if any(tool["function"]["name"] == name for name, _ in opened)
        else tool
        for tool in tools
    ]
    return made, [
        f"a reference action gives `{name}` a `{key}` that its schema forbids: it may be anything"
        for name, key in opened
    ]


def _contradicts(
    schema: dict[str, Any], path: list[str | int | None], value: Any, unknown: bool
) -> bool:
    """Whether the schema has no such value there; what it has no place for is another matter."""
    inner: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, Mapping) else ()
    if isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        inner = enumerate(value)
    if any(_contradicts(schema, [*path, step], each, unknown) for step, each in inner):
        return True
    expected = type_at(schema, tuple(path))
    if isinstance(expected, NoSuchKey):
        return unknown
    if not expected.types or isinstance(value, Mapping):
        return False
    kinds = {json_type(value)}
    if kinds == {"integer"} or (kinds == {"number"} and float(value).is_integer()):
        kinds = {"integer", "number"}
    if isinstance(value, list):
        return "array" not in expected.types
    return not kinds & expected.types or (
        expected.choices is not None and value not in expected.choices
    )


def merged(
    tools: Sequence[dict[str, Any]], more: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The tools, with those of `more` that they lack; and the names of these."""
    known = {tool["function"]["name"] for tool in tools}
    added = [tool for tool in more if tool["function"]["name"] not in known]
    return [*tools, *added], [tool["function"]["name"] for tool in added]
