"""`x-aliases` in tool schemas: what is right, and what is said of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm2dsl.aliases import alias_faults
from cm2dsl.diagnostic import Log
from cm2dsl.schemas import PathType, read_tools, type_at
from cm2dsl.source import Source

TEXT = {"type": "string"}


def said(property: dict[str, Any]) -> list[str]:
    return [fault.message for fault in alias_faults({"properties": {"to": property}})]


@pytest.mark.parametrize(
    "aliases",
    [
        {"PEK": ["Beijing", "北京"]},
        {"PEK": []},
        {"PEK": ["PEK", "Beijing"], "SHA": ["Shanghai"]},
    ],
)
def test_other_spellings_stand_by_the_value_that_they_stand_for(aliases: Any) -> None:
    assert said({**TEXT, "x-aliases": aliases}) == []
    assert said({"x-aliases": aliases}) == []
    assert said({"type": ["string", "null"], "x-aliases": aliases}) == []


def test_a_spelling_may_be_a_value_of_the_enum_too() -> None:
    assert said({"enum": ["business", "C"], "x-aliases": {"business": ["C"]}}) == []


@pytest.mark.parametrize(
    ("property", "message"),
    [
        ({"x-aliases": ["PEK"]}, '`x-aliases` of `to` is `["PEK"]`'),
        ({"x-aliases": {}}, "`x-aliases` of `to` is `{}`"),
        ({"x-aliases": None}, "`x-aliases` of `to` is missing or null"),
        (
            {"x-aliases": {"PEK": "Beijing"}},
            '`x-aliases` of `to` gives `PEK` the spellings `"Beijing"`',
        ),
        ({"x-aliases": {"PEK": [5]}}, "`x-aliases` of `to` gives `PEK` the spellings `[5]`"),
        (
            {"type": "integer", "x-aliases": {"1": ["one"]}},
            '`x-aliases` of `to` is for text, and the type is `"integer"`',
        ),
        (
            {"enum": ["PEK", "SHA"], "x-aliases": {"PKE": ["Beijing"]}},
            "`x-aliases` of `to` gives spellings of `PKE`, which the `enum` does not have",
        ),
        (
            {"x-aliases": {"PEK": ["Beijing"], "PKX": ["Beijing"]}},
            "`x-aliases` of `to` has `Beijing` as a spelling of both `PEK` and `PKX`",
        ),
        (
            {"x-aliases": {"PEK": ["PKX"], "PKX": []}},
            "`x-aliases` of `to` has `PKX` as a spelling of `PEK` and as a value of its own",
        ),
    ],
)
def test_a_wrong_one_is_named(property: dict[str, Any], message: str) -> None:
    assert said(property) == [message]


WRONG = {"x-aliases": 1}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"properties": {"a": {"properties": {"b": WRONG}}}}, "a.b"),
        ({"properties": {"a": {"items": WRONG}}}, "a[*]"),
        ({"properties": {"a": {"prefixItems": [{}, WRONG]}}}, "a[*]"),
        ({"properties": {"a": {"anyOf": [{}, WRONG]}}}, "a"),
        ({"properties": {"a": {"additionalProperties": WRONG}}}, "a"),
        ({"$defs": {"city": WRONG}}, "$defs.city"),
    ],
)
def test_it_is_found_wherever_a_schema_has_one(schema: dict[str, Any], place: str) -> None:
    (fault,) = alias_faults(schema)
    assert fault.message == f"`x-aliases` of `{place}` is `1`"


def test_an_argument_that_is_called_so_is_no_alias() -> None:
    assert list(alias_faults({"properties": {"x-aliases": {"type": "object"}}})) == []


def test_the_compiler_says_where_the_tool_stands() -> None:
    good = {"name": "look", "parameters": {"type": "object"}}
    bad = {"name": "fly", "parameters": {"properties": {"to": {"x-aliases": {"PEK": 5}}}}}
    text = f"[\n  {json.dumps(good)},\n  {json.dumps(bad)}\n]"
    log = Log()
    tools = read_tools(Source(Path("tools.json"), "tools.json", text), log)
    assert [tool.name for tool in tools] == ["look", "fly"]
    (found,) = log.diagnostics
    assert (found.code, found.span.line, found.span.column) == ("E404", 3, 3)
    assert found.message == "in `fly`, `x-aliases` of `to` gives `PEK` the spellings `5`"


def test_a_check_may_name_any_spelling_of_an_enumerated_value() -> None:
    city = {"enum": ["PEK", "SHA"], "x-aliases": {"PEK": ["Beijing", "北京"]}}
    found = type_at({"properties": {"to": city}}, ("to",))
    assert found == PathType(frozenset({"string"}), ("PEK", "SHA", "Beijing", "北京"))
    wrong = {**city, "x-aliases": {"PEK": 5}}
    found = type_at({"properties": {"to": wrong}}, ("to",))
    assert found == PathType(frozenset({"string"}), ("PEK", "SHA"))
