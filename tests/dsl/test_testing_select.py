"""`cm2c test -k`: what pytest means by the same expression."""

from __future__ import annotations

import random

import pytest
from _pytest.mark.expression import Expression

from cm2dsl.testing.select import SelectError, matcher

NAMES = ["refusing without a look earns nothing", "cancel_refused/C002", "specs/airline.cm2"]
WORDS = ["refus", "C002", "c0", "flex", "airline.cm2", "nothing", "cancel_allowed", "挂号", "/"]


def meant(expression: str) -> bool:
    return matcher(expression)([name.casefold() for name in NAMES])


def draw(rng: random.Random, depth: int = 0) -> str:
    roll = rng.random()
    if depth > 3 or roll < 0.4:
        return rng.choice(WORDS)
    if roll < 0.55:
        return f"not {draw(rng, depth + 1)}"
    if roll < 0.7:
        return f"({draw(rng, depth + 1)})"
    word = rng.choice(["and", "or"])
    return f"{draw(rng, depth + 1)} {word} {draw(rng, depth + 1)}"


def test_expressions_mean_what_they_mean_to_pytest() -> None:
    def has(word: str, /, **_: object) -> bool:
        return any(word.casefold() in name.casefold() for name in NAMES)

    rng = random.Random(0)
    drawn = [draw(rng) for _ in range(2000)]
    for expression in drawn:
        theirs = Expression.compile(expression).evaluate(has)
        assert meant(expression) is theirs, expression
    assert 500 < sum(map(meant, drawn)) < 1500


def test_what_is_no_expression_to_pytest_is_none_here() -> None:
    rng = random.Random(1)
    refused = 0
    for _ in range(2000):
        tokens = draw(rng).replace("(", "( ").replace(")", " )").split()
        tokens.insert(rng.randint(0, len(tokens)), rng.choice(["and", "or", "not", "(", ")", "x"]))
        expression = " ".join(tokens)
        try:
            Expression.compile(expression)
        except SyntaxError:
            refused += 1
            with pytest.raises(SelectError):
                matcher(expression)
        else:
            matcher(expression)
    assert 500 < refused < 1900


def test_names_with_spaces_and_words_stand_in_quotes() -> None:
    assert meant('"without a look"')
    assert meant("'a look' and not \"and\"")
    assert not meant('"without look"')
    with pytest.raises(SelectError, match="a quote is not closed"):
        matcher('"without')
