"""Checks that have one meaning for `cm2c diff` say the same of every dialogue."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from generated import JSONL, checks, hints, trajectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interpreter import holds
from msgspec.structs import replace as but

from cm2dsl import ir
from cm2dsl.diff.meaning import ROWS, Meaning, meaning
from cm2dsl.diff.questions import atoms, tree_of

ROW = ir.Row(key="r", split="train", values=JSONL[0])
A, B, C = (ir.Called(tool=name) for name in "abc")
SAID = ir.ReplyContains(value=ir.Constant("yes"))


def means(check: ir.Check, judged: bool = False) -> Meaning:
    return meaning(tree_of(check, None), judged)


def counted(op: Any, times: int) -> ir.Check:
    return but(A, count=ir.Count(op=op, times=times))


def n(check: ir.Check) -> ir.Check:
    return ir.Not(of=check)


def both(*of: ir.Check) -> ir.Check:
    return ir.And(of=of)


def some(*of: ir.Check) -> ir.Check:
    return ir.Or(of=of)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (n(some(A, B)), both(n(A), n(B))),
        (n(both(A, B)), some(n(B), n(A))),
        (n(n(A)), A),
        (both(A, both(B, C)), both(C, B, A, A)),
        (some(A, both(A, B)), A),
        (both(some(A, B), some(A, n(B))), A),
        (counted("exactly", 0), n(A)),
        (counted("at_most", 0), n(A)),
        (counted("at_least", 1), A),
        (counted("exactly", 2), both(counted("at_least", 2), counted("at_most", 2))),
        (both(counted("at_least", 3), A), counted("at_least", 3)),
        (some(counted("at_most", 1), counted("at_least", 2)), counted("at_least", 0)),
        (SAID, ir.ReplyContains(value=ir.Constant(" ＹＥＳ"))),
        (
            ir.ReplyContains(value=ir.Constant(True)),
            ir.ReplyContains(value=ir.Constant("TRUE")),
        ),
        (ir.Called(tool=None, tools=("b", "a")), some(A, B)),
        (n(ir.Called(tool=None, tools=("a", "b"))), both(n(A), n(B))),
        (
            ir.Called(tool=None, tools=("a", "b"), count=ir.Count("exactly", 0)),
            both(n(A), n(B)),
        ),
        (
            ir.ReplyMentions(call=ir.Called(tool=None, tools=("a", "b")), path=("x",)),
            some(*(ir.ReplyMentions(call=one, path=("x",)) for one in (A, B))),
        ),
        (
            ir.Called(tool="t", where=(ir.Constraint(("x",), "in", ir.Many((ir.Constant(1),))),)),
            ir.Called(tool="t", where=(ir.Constraint(("x",), "==", ir.Constant(1.0)),)),
        ),
    ],
)
def test_one_meaning_in_two_forms(one: ir.Check, other: ir.Check) -> None:
    assert means(one) == means(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (A, B),
        (both(A, B), some(A, B)),
        (counted("at_least", 2), A),
        (
            ir.Called(tool=None, tools=("a", "b"), count=ir.Count("at_least", 2)),
            some(counted("at_least", 2), but(B, count=ir.Count("at_least", 2))),
        ),
        (SAID, ir.ReplyContains(value=ir.Constant("YES"), ignoring="-")),
        (counted("exactly", 1), A),
        (SAID, n(SAID)),
        (
            ir.ReplyContains(value=ir.Constant(1)),
            ir.ReplyContains(value=ir.Constant("1")),
        ),
        (
            ir.ReplyContains(value=ir.Constant(True)),
            ir.ReplyContains(value=ir.Constant(1)),
        ),
    ],
)
def test_two_meanings(one: ir.Check, other: ir.Check) -> None:
    assert means(one) != means(other)


def test_with_a_judge_words_that_are_not_there_decide_nothing() -> None:
    """`SAID or not SAID` is true; what the judge has to say of it is open."""
    assert means(some(SAID, n(SAID))) == means(some(A, n(A)))
    assert means(some(SAID, n(SAID)), judged=True) != means(some(A, n(A)), judged=True)


def test_a_table_that_is_too_large_is_compared_by_form() -> None:
    many = [ir.Called(tool=f"t{i}") for i in range(20)]
    assert 2 ** len(many) > ROWS
    assert means(n(both(*many))) == means(some(*map(n, reversed(many))))
    assert means(both(*many)).values == ""
    assert means(both(*many)) != means(both(*many[1:]))


def test_questions_are_written_as_in_a_spec() -> None:
    check = ir.Result(
        call=ir.Called(
            tool="search",
            where=(
                ir.Constraint(("到",), "==", ir.RowRef(("to",))),
                ir.Constraint(("day",), "~", ir.Constant("^2"), negated=True),
            ),
        ),
        has=ir.Constraint(("flights", None, "price"), "==", ir.Constant(120.5), tolerance=0.01),
    )
    assert list(atoms(n(check), None).values()) == [
        "result search(not day ~ /^2/, 到 == row.to) has flights[*].price == 120.5 +- 0.01"
    ]


# --- against the interpreter ------------------------------------------------------------------


def rewritten(check: Any, rng: random.Random) -> Any:
    """The check, edited somewhere: often so that it says the same."""
    match check:
        case ir.And() | ir.Or():
            parts = [rewritten(part, rng) if rng.random() < 0.5 else part for part in check.of]
            turned = ir.Or if isinstance(check, ir.And) else ir.And
            return rng.choice(
                [
                    but(check, of=tuple(rng.sample(parts, len(parts)))),
                    but(check, of=(*parts, parts[0])),
                    n(turned(of=tuple(map(n, check.of)))),
                    but(check, of=(parts[0], turned(of=(parts[0], parts[-1])), *parts[1:])),
                    turned(of=tuple(check.of)),
                    parts[0],
                ]
            )
        case ir.Not():
            return rng.choice([check.of, n(rewritten(check.of, rng))])
        case ir.Called() if rng.random() < 0.7:
            op, times = rng.choice(["at_least", "at_most", "exactly"]), rng.randint(0, 2)
            where = tuple(rng.sample(check.where, len(check.where)))
            return rng.choice(
                [
                    but(check, where=where),
                    but(check, count=ir.Count(op=op, times=times)),
                    n(n(check)),
                ]
            )
        case ir.ReplyContains(value=ir.Constant(value=int(number))):
            return but(check, value=ir.Constant(rng.choice([float(number), str(number)])))
    return rng.choice([n(n(check)), n(check), check, both(check, check)])


def test_equal_meanings_are_equal_in_the_interpreter() -> None:
    compared: Counter[str] = Counter()

    @settings(
        max_examples=150,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(checks("jsonl"), st.integers(0, 2**32))
    def agree(check: Any, seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(4):
            other = rewritten(check, rng)
            for judged in (False, True):
                one, two = (meaning(tree_of(each, ROW), judged) for each in (check, other))
                compared["equal" if one == two else "unequal"] += 1
                if one != two:
                    continue
                wanted = hints(check, ROW)
                for _ in range(10):
                    (turn,) = trajectory(rng, "t/r", wanted).turns
                    for last in range(len(turn.steps)):
                        part = replace(turn, steps=turn.steps[: last + 1])
                        meant = holds(check, part, ROW, judged)
                        assert holds(other, part, ROW, judged) is meant, (check, other, part)
                        compared[str(meant)] += 1

    agree()
    assert compared["equal"] > 250
    assert compared["unequal"] > 150
    assert min(compared[name] for name in ("True", "False", "None")) > 300, compared
