"""The words that reward.py is written in: comparisons, and what a reply says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cm2dsl import checks
from cm2dsl.scope import ReplyFact

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        (None, False, False),
        (None, None, True),
        ("a", "A", False),
        ("é", "e\u0301", False),
        ([1], [1.0], True),
        ([1], [True], False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, True),
        ({"a": {"b": [True]}}, {"a": {"b": [1]}}, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        (2**53 + 1, 2.0**53, False),
        (10**400, 1.5, False),
    ],
)
def test_equality_is_that_of_json(one: Any, other: Any, equal: bool) -> None:
    assert checks.same(one, other) is equal
    assert checks.same(other, one) is equal


@given(JSON)
def test_every_value_equals_itself(value: Any) -> None:
    assert checks.same(value, value)


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "equal"),
    [
        (120.51, 120.50, 0.01, True),
        (120.49, 120.50, 0.01, True),
        (120.511, 120.50, 0.01, False),
        (1.1, 1, 0.1, True),
        (0.3, 0.1, 0.2, True),
        (10**400, 1, 0.5, False),
        (True, 1, 5.0, False),
        ("1", 1, 5.0, False),
    ],
)
def test_a_tolerance_is_meant_as_it_is_written(
    one: Any, other: Any, tolerance: float, equal: bool
) -> None:
    assert checks.same(one, other, tolerance) is equal


@pytest.mark.parametrize(
    ("value", "shown"),
    [(120.0, "120"), (120.5, "120.5"), (7, "7"), (True, "true"), (False, "false"), (None, "")],
)
def test_numbers_stand_in_text_as_a_person_writes_them(value: Any, shown: str) -> None:
    assert checks.show(value) == shown


@pytest.mark.parametrize(
    ("reply", "value", "said"),
    [
        ("It costs 120 EUR", 120, True),
        ("It costs 120.00 EUR", 120, True),
        ("It costs 120.", 120, True),
        ("It costs 120.50 EUR", 120.5, True),
        ("It costs 120.50 EUR", 120, False),
        ("It costs 120.505 EUR", 120.5, False),
        ("1,200.50", 1200.5, True),
        ("1,200,000", 1200000, True),
        ("1,200,000", 200, False),
        ("1,2000", 1200, False),
        ("1,2000", 2000, True),
        ("rooms 1,2,3", 2, True),
        ("1200,500", 1200500, False),
        ("MU5101", 5101, False),
        ("MU 5101", 5101, True),
        ("room_5", 5, False),
        ("5kg", 5, True),
        ("8:05", 5, True),
        ("2026-03-02", 3, True),
        ("-120", -120, True),
        ("−120", -120, True),
        ("-120", 120, True),
        ("120", -120, False),
        ("5-3", -3, False),
        (".5", 5, False),
        ("1.2.3", 3, False),
        ("0", 0, True),
        ("007", 7, True),
        ("价格是120元", 120, True),
        ("价格是１２０．５０元", 120.5, True),
        ("－１２０", -120, True),
        ("ＭＵ５１０１", 5101, False),
        ("好的，120元", 120, True),
        ("房间1，200元", 200, True),
        ("房间1，200元", 1200, False),
        ("٥ flights", 5, True),
        ("9007199254740993", 9007199254740993, True),
        ("9007199254740992", 9007199254740993, False),
        ("0.1", 0.1, True),
        ("one hundred", 100, False),
        ("a" * 10, 10**400, False),
    ],
)
def test_a_number_is_said_in_any_of_its_written_forms(reply: str, value: float, said: bool) -> None:
    assert ReplyFact(reply, 0, 0, 0).says(value) is said


@pytest.mark.parametrize(
    ("reply", "value", "said"),
    [
        ("Your flight is MU5101.", "mu5101", True),
        ("ＭＵ５１０１", "MU5101", True),
        ("STRASSE", "straße", True),
        ("a\n  b", "a b", True),
        ("ab", "a b", False),
        ("北京　首都", "北京 首都", True),
        ("anything", "", False),
        ("anything", "  ", False),
        ("That is true", True, True),
        ("That is false", True, False),
        ("null None", None, False),
        ("[1]", [1], False),
        ("{}", {}, False),
    ],
)
def test_text_is_said_after_folding(reply: str, value: Any, said: bool) -> None:
    assert ReplyFact(reply, 0, 0, 0).says(value) is said


@pytest.mark.parametrize(
    ("value", "other", "held"),
    [
        (["a", 1], 1, True),
        (["a", True], 1, False),
        ([[1], 2], [1], True),
        ([[True], 2], [1], False),
        ("abc", "b", True),
        ("abc", "B", False),
        ("123", 2, False),
        ({"a": 1}, "a", False),
        (1, 1, False),
    ],
)
def test_contains_looks_into_lists_and_text(value: Any, other: Any, held: bool) -> None:
    assert checks.contains([value], other) is held


def test_nothing_is_less_than_or_different_from_what_is_not_there() -> None:
    for condition in (checks.eq, checks.ne, checks.lt, checks.le, checks.gt, checks.ge):
        assert condition([], 1) is False


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("a",), [[{"b": 1}, {"b": 2}, 3]]),
        (("a", None, "b"), [1, 2]),
        (("a", 1, "b"), [2]),
        (("a", 2, "b"), []),
        (("a", 9), []),
        (("a", "b"), []),
        (("x",), []),
    ],
)
def test_a_path_finds_every_value_that_it_leads_to(
    path: tuple[str | int | None, ...], found: list[Any]
) -> None:
    assert list(checks.at({"a": [{"b": 1}, {"b": 2}, 3]}, *path)) == found


def steps(parts: Sequence[bool | None]) -> checks.Kleene:
    """The steps at which each of these is true, and false."""
    true = sum(1 << s for s, part in enumerate(parts) if part is True)
    return true, sum(1 << s for s, part in enumerate(parts) if part is False)


def after_one_step(value: checks.Kleene) -> bool | None:
    true, false = value[0] & 1, value[1] & 1
    assert not (true and false)
    return True if true else False if false else None


@pytest.mark.parametrize("parts", list(product([True, False, None], repeat=3)))
def test_what_is_undecided_is_so_because_either_answer_is_possible(
    parts: tuple[bool | None, ...],
) -> None:
    readings = list(product(*([True, False] if part is None else [part] for part in parts)))
    both = {all(reading) for reading in readings}
    either = {any(reading) for reading in readings}
    each = [steps([part]) for part in parts]
    assert after_one_step(checks.all_of(*each)) is (both.pop() if len(both) == 1 else None)
    assert after_one_step(checks.any_of(*each)) is (either.pop() if len(either) == 1 else None)


def test_the_negation_of_undecided_is_undecided() -> None:
    assert checks.negation(steps([True, False, None])) == steps([False, True, None])


def test_words_that_are_not_there_decide_nothing() -> None:
    assert checks.if_said(0b01) == steps([True, None])


def test_a_call_decides_both_ways() -> None:
    true, false = checks.sure(0b01)
    assert (true & 0b11, false & 0b11) == steps([True, False])


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("a", 1, "b"), 2),
        (("a", 0), {"b": 1}),
        (("a", 5), None),
        (("a", "b"), None),
        (("x",), None),
    ],
)
def test_a_path_without_stars_leads_to_one_value_or_to_nothing(
    path: tuple[str | int, ...], found: Any
) -> None:
    value = checks.get({"a": [{"b": 1}, {"b": 2}, 3]}, *path)
    assert value == found if found is not None else value is checks.NOTHING


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        ({}, True),
        ({"a": 1}, True),
        ({"a": {"anything": [1]}}, True),
        ({"b": {"c": 1}}, True),
        ({"b": {}}, True),
        ({"b": {"d": 1}}, False),
        ({"l": [{"x": 1}, {"x": 2}]}, True),
        ({"l": [{"x": 1, "y": 2}]}, False),
        ({"m": [1]}, True),
        ({"m": [1, 2]}, False),
        ({"z": None}, False),
    ],
)
def test_nothing_else_looks_at_every_depth(arguments: dict[str, Any], fits: bool) -> None:
    paths: Any = {"a": {}, "b": {"c": {}}, "l": {None: {"x": {}}}, "m": {0: {}}}
    assert checks.no_more(arguments, paths) is fits
