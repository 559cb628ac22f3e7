"""BFCL's function documents: schemas, effects, and the arguments that a call gives them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2.formats.bfcl_calls import CallError, WrittenCall
from cm2.formats.source import Found, read_lines
from cm2.importers.bfcl_effects import effect_of

TYPES = {
    "dict": "object",
    "float": "number",
    "tuple": "array",
    "list": "array",
    "bool": "boolean",
    **{
        name: name for name in ("string", "integer", "number", "boolean", "array", "object", "null")
    },
}
"""The documents' type names as JSON Schema's; `any` is no type at all."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a backend. `parameters` is a JSON Schema; `effect` is None if it is unknown.

    `defaults` are the values that optional parameters have where they are left out, `unordered`
    the parameters whose lists are sets.
    """

    name: str
    owner: str
    description: str
    parameters: dict[str, Any]
    effect: str | None
    defaults: Mapping[str, Any]
    unordered: frozenset[str] = frozenset()

    @property
    def writes(self) -> bool:
        return self.effect != "read"

    def tool(self, opened: Collection[str] = ()) -> dict[str, Any]:
        """The OpenAI function schema, with its effect; `opened` parameters may hold anything."""
        properties = dict(self.parameters["properties"])
        for key in opened:
            kept = properties.get(key, {}).get("description")
            properties[key] = {} if kept is None else {"description": kept}
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": {**self.parameters, "properties": properties},
            "x-effect": "write" if self.writes else "read",
        }
        return {"type": "function", "function": function}


def read_functions(path: Path, owner: str) -> list[Function]:
    """The functions that a file documents, one a line. Raises SourceFault, OSError."""
    functions: list[Function] = []
    for found in read_lines(path):
        name = found["name"].filled()
        description = found.get("description")
        parameters = _schema(found["parameters"])
        if parameters.get("type") != "object":
            raise found["parameters"].wrong('a schema with `"type": "dict"`')
        for key, nothing in (("properties", {}), ("required", [])):
            if parameters.get(key) is None:
                parameters[key] = nothing
        known, required = parameters["properties"], parameters["required"]
        for each in (found["parameters"].get("required") or Found([], "")).items():
            if each.text() not in known:
                raise each.fault(f"`{each.text()}` is no parameter", "name one of the properties")
        functions.append(
            Function(
                name=name,
                owner=owner,
                description=description.text() if description else "",
                parameters=parameters,
                effect=effect_of(owner, name),
                defaults={
                    key: schema["default"]
                    for key, schema in known.items()
                    if "default" in schema
                    and key not in required
                    and _fits(schema["default"], schema)
                },
                unordered=frozenset(key for key, schema in known.items() if _is_set(schema)),
            )
        )
    return functions


def _schema(found: Found) -> dict[str, Any]:
    """A document's schema as JSON Schema.

    A default of `"None"` is Python's None, which no call can write: there, the parameter has none.
    """
    schema = dict(found.object())
    if (kind := found.get("type")) is not None:
        if kind.text() == "any":
            del schema["type"]
        elif kind.text() in TYPES:
            schema["type"] = TYPES[kind.text()]
        else:
            raise kind.wrong(f"one of any, {', '.join(sorted(TYPES))}")
    if schema.get("default") == "None":
        del schema["default"]
    if (properties := found.get("properties")) is not None:
        schema["properties"] = {key: _schema(each) for key, each in properties.members()}
    if (items := found.get("items")) is not None:
        schema["items"] = _schema(items)
    return schema


def _is_set(schema: Mapping[str, Any]) -> bool:
    """Whether a list is one of choices, such as the doors of a car: they have no order.

    The documents name choices in the text, after `[Enum]:`, or as the schema of the elements.
    """
    named = "enum" in schema.get("items", {}) or "[Enum]" in str(schema.get("description", ""))
    return schema.get("type") == "array" and named


def arguments_of(call: WrittenCall, function: Function) -> dict[str, Any]:
    """The arguments by name, in the document's order. Raises CallError."""
    name = function.name
    order = list(function.parameters["properties"])
    if len(call.positional) > len(order):
        message = f"`{name}` is called with {len(call.positional)} arguments"
        raise CallError(message, f"its document has {len(order)} parameters")
    given = dict(zip(order, call.positional, strict=False))
    for key, value in call.named.items():
        if key in given:
            raise CallError(f"`{name}` is given `{key}` twice", "keep one of the two")
        given[key] = value
    return {key: given[key] for key in [*order, *given] if key in given}


def misfits(arguments: Mapping[str, Any], function: Function) -> Iterator[tuple[str, str]]:
    """(parameter, what is wrong) where arguments are not what the function's document says."""
    properties: dict[str, dict[str, Any]] = function.parameters["properties"]
    for key, value in arguments.items():
        if key not in properties:
            yield key, f"gives `{function.name}` the argument `{key}`, which its document lacks"
        elif not _fits(value, properties[key]):
            wanted = properties[key].get("enum") or properties[key].get("type")
            text = json.dumps(value, ensure_ascii=False)
            yield key, f"gives `{function.name}` {text} as `{key}`; its document wants {wanted}"


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of the schema's type, inside lists and objects too."""
    if "enum" in schema and value not in schema["enum"]:
        return False
    match schema.get("type"):
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            items = schema.get("items", {})
            return isinstance(value, list) and all(_fits(each, items) for each in value)
        case "object":
            parts = schema.get("properties")
            return isinstance(value, dict) and (
                parts is None
                or all(key in parts and _fits(each, parts[key]) for key, each in value.items())
            )
        case "null":
            return value is None
        case _:
            return True
