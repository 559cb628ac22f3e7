"""What a tool's JSON Schema says of a path in its arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm2dsl import ir
from cm2dsl.diagnostic import Log
from cm2dsl.schemas import NoSuchKey, PathType, read_tools, type_at
from cm2dsl.source import Source

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "cabin": {"type": "string", "enum": ["economy", "business"]},
        "seats": {"type": "integer"},
        "budget": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "class": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]},
        "nullable": {"type": ["string", "null"]},
        "who": {"$ref": "#/$defs/person"},
        "all": {"allOf": [{"$ref": "#/$defs/person"}]},
        "others": {"type": "array", "items": {"$ref": "#/$defs/person"}},
        "either": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
        "fixed": {"const": 3},
        "anything": {},
        "free": {"type": "object"},
        "open": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": True,
        },
        "map": {"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}},
        "dialect": {"type": "dict"},
        "list": {"type": "array"},
        "pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]},
        "both": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
    },
    "$defs": {
        "person": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "parent": {"$ref": "#/$defs/person"}},
        }
    },
}


def types(*names: str) -> PathType:
    return PathType(frozenset(names))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("city",), types("string")),
        (("cabin",), PathType(frozenset({"string"}), ("economy", "business"))),
        (("seats",), types("integer")),
        (("budget",), types("number", "null")),
        (("class",), PathType(frozenset({"string", "null"}), ("a", "b"))),
        (("nullable",), types("string", "null")),
        (("who",), types("object")),
        (("who", "name"), types("string")),
        (("who", "parent", "parent", "name"), types("string")),
        (("all", "name"), types("string")),
        (("others",), types("array")),
        (("others", None, "name"), types("string")),
        (("others", 3, "parent", "name"), types("string")),
        (("either",), types("string", "array")),
        (("either", 0), types("integer")),
        (("fixed",), PathType(frozenset({"integer"}), (3,))),
        (("anything",), PathType()),
        (("anything", "a", 0), PathType()),
        (("free", "a", "b"), PathType()),
        (("open", "a"), types("string")),
        (("open", "b"), PathType()),
        (("map", "x"), types("integer")),
        (("dialect", "x"), PathType()),
        (("list", None, "x"), PathType()),
        (("pair", 0), PathType()),
        (("both", "a"), types("string")),
    ],
)
def test_the_type_at_a_path(path: ir.Path, found: PathType) -> None:
    assert type_at(SCHEMA, path) == found


@pytest.mark.parametrize(
    ("path", "key", "known"),
    [
        (("citi",), "citi", tuple(sorted(SCHEMA["properties"]))),
        (("city", "name"), "name", ()),
        (("city", None), "[*]", ()),
        (("seats", 0), "0", ()),
        (("who", "nmae"), "nmae", ("name", "parent")),
        (("others", "name"), "name", ()),
        (("others", None, "age"), "age", ("name", "parent")),
        (("both", "c"), "c", ("a",)),
    ],
)
def test_a_path_that_the_schema_rules_out(path: ir.Path, key: str, known: tuple[str, ...]) -> None:
    assert type_at(SCHEMA, path) == NoSuchKey(key, known)


def test_a_reference_to_itself_ends() -> None:
    assert type_at({"$ref": "#"}, ("a",)) == PathType()
    looped = {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}
    assert type_at(looped, ("a", "b")) == PathType()


def read(value: object) -> tuple[list[ir.Tool], list[str]]:
    log = Log()
    text = json.dumps(value, indent=1)
    tools = read_tools(Source(Path("tools.json"), "tools.json", text), log)
    return tools, [f"{fault.span.line} {fault.message}" for fault in log.diagnostics]


def test_tools_may_be_wrapped_bare_or_mcps() -> None:
    bare = {"name": "a", "parameters": {"type": "object"}}
    tools, faults = read(
        [
            bare,
            {"type": "function", "function": {"name": "b"}, "x-effect": "write"},
            {"name": "c", "inputSchema": {"type": "object"}, "description": None},
        ]
    )
    assert faults == []
    assert [(tool.name, tool.effect) for tool in tools] == [
        ("a", None),
        ("b", "write"),
        ("c", None),
    ]
    assert all(tool.parameters == {"type": "object"} for tool in tools)
    assert read({"tools": [bare]})[0] == tools[:1]


def test_a_fault_in_a_tool_is_at_the_line_where_it_begins() -> None:
    _, faults = read([{"name": "a"}, {"title": "b"}, {"name": "a"}])
    assert faults == ["5 this tool has no name", "8 tool `a` stands twice"]


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_schema_of_a_tools_results_is_read_beside_that_of_its_arguments(wrapped: bool) -> None:
    returns = {"type": "object", "properties": {"fare": {"enum": ["basic", "flex"]}}}
    body = {"name": "lookup", "parameters": {"type": "object"}, "outputSchema": returns}
    (tool,), faults = read([{"type": "function", "function": body} if wrapped else body])
    assert (tool.returns, faults) == (returns, [])


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        ("object", "the `outputSchema` of `lookup` is not an object"),
        ({"type": "dict"}, 'the `outputSchema` of `lookup` has the type `"dict"`'),
    ],
)
def test_a_schema_of_results_that_is_none_is_an_error(returns: object, message: str) -> None:
    (tool,), faults = read([{"name": "lookup", "outputSchema": returns}])
    assert (tool.returns, faults) == (None, [f"2 {message}"])
