"""What the policies that learnt nothing are made of: arguments, texts for patterns, words."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest
from generated import JSONL, PATTERNS, checks, hints, trajectory
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import holds
from jsonschema import Draft202012Validator

from cm2dsl import ir
from cm2dsl.floor.arguments import arguments_for
from cm2dsl.floor.pattern import text_for
from cm2dsl.floor.policies import APOLOGY, REFUSAL, in_language_of
from cm2dsl.floor.words import LEARNT, recited
from cm2dsl.lint.truth import constant
from cm2dsl.trajectory import Turn

SPECS = Path(__file__).parents[2] / "specs"
DATA = os.environ.get("CM2_DATA")


# --- a text for a pattern ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        *PATTERNS,
        "^(Yes|Right|Correct|Exactly)[,.!]",
        "(马上|立刻|现在就)打 ?120",
        r"已.{0,6}退|退好了",
        r"^[01][0-9]-[0-3][0-9]$",
        r"^KF[0-9]{3}$",
        r"\bcannot\b",
        r"(?P<code>[A-Z]{2})-(?P=code)",
        r"(?<!\d)\d{4}(?!\d)",
        r"[^\W\d_]+",
        r"(?=.*refund)not",
        r"[^a-z]\S\D\W",
        r"(a)?(?(1)b|c)",
        r"(?>ab|c)++d",
    ],
)
def test_a_pattern_is_found_in_the_text_that_is_made_for_it(pattern: str) -> None:
    if pattern.endswith("not"):  # what stands ahead may want another text than what follows
        assert text_for(pattern) is None or re.search(pattern, text_for(pattern) or "")
        return
    text = text_for(pattern)
    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize(
    "pattern", ["a{99999}", "((a{999}){999}){999}", r"a(?!.*)", "(?!)", r"\Bb\b\B"]
)
def test_where_no_text_is_found_none_is_made_up(pattern: str) -> None:
    assert text_for(pattern) is None


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@settings(max_examples=300)
@given(st.text("ab1 ^$.|?*+()[]{},\\d-", max_size=10))
def test_whatever_compiles_has_a_text_or_none_and_no_fault(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error:
        return
    text = text_for(pattern)
    assert text is None or re.search(pattern, text) is not None


# --- arguments --------------------------------------------------------------------------------


def tools_of(path: Path) -> list[ir.Tool]:
    listed = json.loads(path.read_text(encoding="utf-8"))
    functions = [one.get("function", one) for one in listed]
    return [ir.Tool(name=one["name"], parameters=one["parameters"]) for one in functions]


FILES = sorted(SPECS.glob("*.tools.json"))
FILES += sorted(Path(DATA).glob("tau2/*/tools.json")) if DATA else []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
@pytest.mark.parametrize("every", [False, True], ids=["needed", "every"])
def test_arguments_are_what_the_schemas_of_real_tools_allow(path: Path, every: bool) -> None:
    for tool in tools_of(path):
        given = arguments_for(tool, every)
        Draft202012Validator(tool.parameters).validate(given)
        assert given == arguments_for(tool, every)
        if every:
            assert given.keys() == tool.parameters.get("properties", {}).keys()
        else:
            assert given.keys() == set(tool.parameters.get("required", []))


def types() -> Any:
    texts = st.fixed_dictionaries({"type": st.just("string")}) | st.builds(
        lambda word: {"type": "string", **word},
        st.sampled_from(
            [
                {"minLength": 3, "maxLength": 5},
                {"pattern": "^[A-Z]{3}$"},
                {"format": "date"},
                {"enum": ["b", "a"]},
                {"const": "c"},
            ]
        ),
    )
    numbers = st.builds(
        lambda kind, word: {"type": kind, **word},
        st.sampled_from(["integer", "number"]),
        st.sampled_from(
            [
                {},
                {"minimum": 3},
                {"exclusiveMinimum": 3},
                {"maximum": 0},
                {"exclusiveMaximum": -2},
                {"minimum": 3, "multipleOf": 5},
                {"minimum": 0, "maximum": 1},
            ]
        ),
    )
    leaves = texts | numbers | st.sampled_from([{"type": "boolean"}, {"type": ["null", "string"]}])

    def grown(inner: Any) -> Any:
        names = st.dictionaries(st.sampled_from(["p", "q", "r"]), inner, max_size=3)
        objects = names.flatmap(
            lambda known: st.sets(st.sampled_from(sorted(known) or ["s"])).map(
                lambda wanted: {
                    "type": "object",
                    "properties": known,
                    "required": sorted(wanted & known.keys()),
                    "additionalProperties": False,
                }
            )
        )
        lists = st.builds(lambda of, least: {"items": of, "minItems": least}, inner, st.just(2))
        return (
            objects
            | lists.map(lambda one: {"type": "array", **one})
            | inner.map(lambda one: {"anyOf": [one, {"type": "null"}]})
        )

    return st.recursive(leaves, grown, max_leaves=6)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(["x", "y"]), types(), min_size=1), st.booleans())
def test_arguments_are_what_any_schema_of_the_usual_words_allows(known: Any, every: bool) -> None:
    parameters = {"type": "object", "properties": known, "required": sorted(known)}
    given = arguments_for(ir.Tool(name="t", parameters=parameters), every)
    Draft202012Validator(parameters).validate(given)


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    parameters = {
        "type": "object",
        "properties": {"first": {"$ref": "#/$defs/node"}},
        "required": ["first"],
        "$defs": {"node": node},
    }
    tool = ir.Tool(name="t", parameters=parameters)
    assert arguments_for(tool, every=False) == {"first": {}}
    Draft202012Validator(parameters).validate(arguments_for(tool, every=True))


@pytest.mark.parametrize("every", [False, True], ids=["needed", "every"])
def test_a_schema_that_wants_too_much_costs_nothing(every: bool) -> None:
    wide = {name: {"$ref": "#/$defs/wide"} for name in "abcdef"}
    known: dict[str, Any] = {
        "text": {"type": "string", "minLength": 10**12},
        "pattern": {"type": "string", "pattern": "((a{9999}){9999}){9999}"},
        "list": {"type": "array", "minItems": 10**12},
        "step": {"type": "number", "multipleOf": 1e-320},
        "large": {"type": "integer", "minimum": 10**400, "multipleOf": 0.5},
        "odd": {"type": "array", "minItems": "x", "items": [True]},
        "none": {"anyOf": [], "allOf": [True], "enum": []},
        "self": {"$ref": "#/properties/self"},
        "wide": {"$ref": "#/$defs/wide"},
    }
    parameters = {
        "type": "object",
        "properties": known,
        "required": [*known, 7],
        "$defs": {"wide": {"type": "object", "properties": wide}},
    }
    assert arguments_for(ir.Tool(name="t", parameters=parameters), every).keys() == known.keys()


# --- words ------------------------------------------------------------------------------------


def item(expr: ir.Check, kind: ir.Kind = "item") -> ir.Item:
    place = ir.Place("s.cm2", 1, 1)
    return ir.Item(name="i", kind=kind, weight=1.0, focus="reply", place=place, expr=expr)


def says(value: Any) -> ir.ReplyContains:
    return ir.ReplyContains(value=ir.Constant(value))


def rows(count: int) -> list[ir.Row]:
    return [ir.Row(key=str(n), split="train", values={"x": f"value {n}"}) for n in range(count)]


def test_what_is_recited_is_what_checks_want_and_not_what_they_forbid() -> None:
    text = recited(
        [
            item(ir.And((says("good"), ir.Not(says("bad"))))),
            item(says("worse"), kind="never"),
            item(ir.Not(says("kept")), kind="never"),
            item(says(120.0)),
        ],
        None,
        "user",
    )
    assert text.splitlines() == ["user", "good", "kept", "120"]


def test_what_a_pattern_wants_first_comes_first_and_last_comes_last() -> None:
    patterns = [ir.ReplyMatches("soon$"), ir.ReplyMatches("a+b"), ir.ReplyMatches("^(Yes|No)[.!]")]
    text = recited([item(ir.And((*patterns, says("x"))))], None, "user")
    assert text.splitlines() == ["Yes.", "user", "ab", "x", "soon"]
    assert all(re.search(one.pattern, text) for one in patterns)


def test_few_values_of_a_column_are_learnt_by_heart_and_many_are_not() -> None:
    ref = ir.ReplyContains(value=ir.RowRef(("x",)))
    within = ir.ReplyContains(value=ir.Filled(("it is ", ir.RowRef(("x",)))))
    few = recited([item(ref), item(within)], rows(LEARNT), "user").splitlines()
    assert few[1:] == [*(f"value {n}" for n in range(8)), *(f"it is value {n}" for n in range(8))]
    many = recited([item(ref), item(within)], rows(LEARNT + 1), "user").splitlines()
    assert many == ["user", "it is"]


def test_a_refusal_is_in_the_language_of_the_user() -> None:
    assert in_language_of("Cancel it", REFUSAL).isascii()
    assert "帮不了" in in_language_of("请取消 K7Q2MB", REFUSAL)
    assert in_language_of("你好 hello", APOLOGY) == APOLOGY[1]


# --- checks that are the same of every dialogue ---------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(checks("jsonl"), st.integers(0, 2**32))
def test_a_check_that_is_called_constant_is_so_in_every_dialogue(check: Any, seed: int) -> None:
    said = constant(check)
    if said is None:
        return
    rng = random.Random(seed)
    row = ir.Row(key="1", split="train", values=JSONL[0])
    for _ in range(20):
        turn = trajectory(rng, "t", hints(check, row)).turns[0]
        for last in range(1, len(turn.steps) + 1):
            seen = Turn(turn.user, turn.steps[:last], turn.acts)
            assert holds(check, seen, row, False) is said


def test_constants_are_found_behind_counts_and_wider_calls() -> None:
    book, search = ir.Called("book"), ir.Called("search")
    two = ir.Called("book", where=(ir.Constraint(("seats",), "==", ir.Constant(2)),))
    none = ir.Called("book", count=ir.Count("at_most", 0))
    anything = ir.Called("book", count=ir.Count("at_least", 0))
    assert constant(anything) is True
    assert constant(ir.Or((none, book))) is True
    assert constant(ir.Or((ir.Not(two), book))) is True
    assert constant(ir.And((two, none))) is False
    assert constant(ir.And((ir.Result(two, ir.Constraint(("x",), "exists")), none))) is False
    assert constant(ir.Or((two, ir.Not(book)))) is None
    assert constant(ir.Or((search, ir.Not(book)))) is None
    assert constant(ir.And(tuple(ir.Called(f"t{n}") for n in range(40)))) is None
