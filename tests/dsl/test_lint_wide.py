"""Checks of thousands of parts, as programs write them: lint looks at them, and ends."""

from __future__ import annotations

from collections import Counter

import pytest

from cm2dsl import ir
from cm2dsl.lint import implies as module
from cm2dsl.lint.implies import implies, never_true

WIDE = 3_000


def said(number: int) -> ir.Check:
    return ir.ReplyContains(value=ir.Constant(value=f"w{number}w"))


def parts(first: int = 0) -> tuple[ir.Check, ...]:
    return tuple(said(number) for number in range(first, first + WIDE))


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many pairs of parts are held against each other."""
    counted: Counter[str] = Counter()
    whole = module._follows

    def follows(one: ir.Check, other: ir.Check) -> bool:
        counted["pairs"] += 1
        return whole(one, other)

    monkeypatch.setattr(module, "_follows", follows)
    return counted


def test_wide_checks_are_held_against_each_other_by_what_is_alike(pairs: Counter[str]) -> None:
    some, more = parts(), parts()[:-1]
    assert implies(ir.Or(of=more), ir.Or(of=some))
    assert not implies(ir.Or(of=some), ir.Or(of=more))
    assert implies(ir.And(of=some), ir.And(of=more))
    assert not implies(ir.And(of=more), ir.And(of=some))
    assert implies(ir.And(of=some), ir.Or(of=parts(WIDE - 1)))
    assert not implies(ir.And(of=some), ir.Or(of=parts(WIDE)))
    assert pairs["pairs"] <= module.MOST


def test_a_wide_check_that_contradicts_itself_is_found(pairs: Counter[str]) -> None:
    assert never_true(ir.And(of=(*parts(), ir.Not(of=said(7)))))
    assert not never_true(ir.And(of=(*parts(), ir.Not(of=said(WIDE)))))
    assert not never_true(ir.And(of=tuple(ir.Not(of=part) for part in parts())))
    assert pairs["pairs"] <= module.MOST
