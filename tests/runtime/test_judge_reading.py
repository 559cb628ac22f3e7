"""The verdict schema, and an answer that does not keep to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from judged import DIALOGUE, verdict
from outlines_core.json_schema import build_regex_from_schema

from cm2.judge import MAX_TOKENS
from cm2.judge.reading import OffSchemaError, Reading, read
from cm2.trajectory import segments
from cm2dsl import prompts

SCHEMA: dict[str, Any] = json.loads(prompts.files()[prompts.SCHEMA])
ENTRY = {"segment": "t0.s1.reply", "quote": "MU5101"}


def test_the_order_is_evidence_then_reason_then_verdict() -> None:
    assert list(SCHEMA["properties"]) == ["evidence", "reason", "verdict"]
    assert list(SCHEMA["properties"]["evidence"]["items"]["properties"]) == ["segment", "quote"]


def strings(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        own = [schema] if schema.get("type") == "string" else []
        return own + [found for each in schema.values() for found in strings(each)]
    return []


def test_every_string_is_bounded_by_a_pattern() -> None:
    assert len(strings(SCHEMA)) == 3
    assert all("pattern" in each and "maxLength" not in each for each in strings(SCHEMA))


def test_the_reader_holds_the_patterns_of_the_schema() -> None:
    own = strings(Reading.model_json_schema())
    assert {each["pattern"] for each in own if "pattern" in each} == {
        each["pattern"] for each in strings(SCHEMA)
    }


@settings(deadline=None)
@given(st.from_regex(build_regex_from_schema(json.dumps(SCHEMA)), fullmatch=True))
def test_whatever_the_grammar_allows_is_read(text: str) -> None:
    assert read(text).model_dump() == json.loads(text)


@pytest.mark.parametrize(
    "answer",
    [
        {"evidence": [], "reason": "r"},
        {"evidence": [], "reason": "r", "verdict": "maybe"},
        {"evidence": [], "reason": "r", "verdict": "error"},
        {"evidence": [], "reason": "", "verdict": "pass"},
        {"evidence": [], "reason": "r" * 141, "verdict": "pass"},
        {"evidence": [], "reason": 'a "b"', "verdict": "pass"},
        {"evidence": [], "reason": "r", "verdict": "pass", "score": 1},
        {"evidence": [ENTRY] * 4, "reason": "r", "verdict": "pass"},
        {"evidence": [{**ENTRY, "segment": "the reply"}], "reason": "r", "verdict": "pass"},
        {"evidence": [{**ENTRY, "quote": "q" * 101}], "reason": "r", "verdict": "pass"},
        {"evidence": [{**ENTRY, "step": 1}], "reason": "r", "verdict": "pass"},
        {"evidence": ENTRY, "reason": "r", "verdict": "pass"},
        {"evidence": None, "reason": "r", "verdict": "pass"},
        [],
        "pass",
        None,
    ],
)
def test_the_reader_refuses_what_the_schema_refuses(answer: Any) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(answer)
    with pytest.raises(OffSchemaError, match="off the schema"):
        read(json.dumps(answer))


@pytest.mark.parametrize(
    "text",
    ["", "pass", verdict("pass")[:-1], "```json\n" + verdict("pass") + "\n```", '{"a": NaN}'],
)
def test_an_answer_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(OffSchemaError, match=r"not JSON|off the schema|NaN|empty"):
        read(text)


def test_every_segment_of_a_dialogue_can_be_named() -> None:
    names = [segment.name for segment in segments(DIALOGUE)]
    for name in [*names, "t12.s345.tool_result.67"]:
        assert read(verdict("pass", (name, "x"))).evidence[0].segment == name


def test_the_longest_answer_fits_the_token_budget_at_one_token_a_byte() -> None:
    entry = '{ "segment" : "t999.s999.tool_result.99" , "quote" : "%s" }' % ("𠀀" * 100)
    evidence = ", ".join([entry] * 3)
    reason = "𠀀" * 128
    end = f'"reason" : "{reason}" , "verdict" : "insufficient"'
    longest = f'{{ "evidence" : [ {evidence} ] , {end} }}'
    assert read(longest).verdict == "insufficient"
    assert len(longest.encode()) < MAX_TOKENS
