"""`parse_object` is `parse`, only faster: the same texts are objects, and the same ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from json_texts import object_texts

from cm2dsl.jsonl import JsonError, parse, parse_object


def strictly(text: str) -> dict[str, Any] | None:
    try:
        value = parse(text)
    except JsonError:
        return None
    return value if isinstance(value, dict) else None


@settings(max_examples=600, deadline=None)
@given(object_texts())
def test_the_fast_reader_of_objects_reads_what_the_strict_one_reads(text: str) -> None:
    # `repr` tells 1 from 1.0 and from True, -0.0 from 0.0, and one order of keys from another.
    assert repr(parse_object(text)) == repr(strictly(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": [{"b": 1, "b": 2}], "c": "::"}',
        r'{"a": "\u003a", "b": 1, "b": 2}',
        r'{"a": 1, "\u0061": 2}',
        r'{"\u003a": 1, ":": 2}',
        r'{":": "\u003A\u003A", "b": {"c": 1, "c": 2}}',
        '{"a": NaN}',
        '{"a": 1e999}',
        r'{"a": "\ud800"}',
        "[1]",
        '"{}"',
        "",
        "{",
    ],
)
def test_what_is_not_strictly_an_object_is_none(text: str) -> None:
    assert parse_object(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ('{"a:b": "c:d", "e": ":"}', {"a:b": "c:d", "e": ":"}),
        (r'{"\u003a": "\u003a"}', {":": ":"}),
        (r'{"a": "\\u003a", "b": "\u003a:"}', {"a": "\\u003a", "b": "::"}),
        ('{"a": 100000000000000000000}', {"a": 10**20}),
        ('{"a": {"b": {"c": [{"d": 1}, {"d": 1}]}}}', {"a": {"b": {"c": [{"d": 1}, {"d": 1}]}}}),
    ],
)
def test_colons_and_escapes_in_keys_and_strings_are_no_fault(text: str, value: Any) -> None:
    assert parse_object(text) == value


def test_what_is_nested_too_deeply_is_none() -> None:
    assert parse_object('{"a":' * 100_000 + "1" + "}" * 100_000) is None
