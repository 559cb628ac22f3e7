"""The parser's tables are those of the grammar, and its driver reads what Lark reads."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput
from make_tables import GRAMMAR, OUT, tables_text
from sentences import sentence

from cm2dsl import nodes, tables
from cm2dsl.build import Builder
from cm2dsl.driver import Stack, TooDeep, Unexpected, drive, rules_for
from cm2dsl.source import Source

ROOT = Path(__file__).parents[2]


class NamesEverywhere:
    """Lets Lark see a whole name in every state, so that `itemx` is never `item` and `x`."""

    always_accept = ("NAME",)

    def process(self, stream: Any) -> Any:
        return stream


@pytest.fixture(scope="module")
def stock() -> Lark:
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        propagate_positions=True,
        maybe_placeholders=True,
        postlex=NamesEverywhere(),
    )


class Shapes:
    """A builder that keeps everything: (method, start, stop, children)."""

    def __getattr__(self, name: str) -> Any:
        return lambda at, children: (name, at.start, at.stop, list(map(self.shape, children)))

    @staticmethod
    def shape(child: Any) -> Any:
        if isinstance(child, nodes.Token):
            return child.kind, child.text, child.start
        return child


def ours(text: str) -> Any:
    """What the driver reads of a text; None where it is not in the language."""
    source = Source(Path("x"), "x", text)
    try:
        return drive(source, rules_for(Shapes()), Stack())
    except (Unexpected, TooDeep):
        return None


def theirs(parser: Lark, text: str) -> Any:
    """The same of Lark."""
    try:
        return shape(parser.parse(text))
    except UnexpectedInput:
        return None


def shape(tree: Any) -> Any:
    if isinstance(tree, Token):
        return tree.type, str(tree), tree.start_pos
    if isinstance(tree, Tree):
        meta = tree.meta
        return tree.data, meta.start_pos, meta.end_pos, [shape(one) for one in tree.children]
    return tree


def without_brackets(tree: Any) -> Any:
    """The shape without places: Lark leaves brackets out of the place of what stands in them."""
    if isinstance(tree, tuple) and len(tree) == 4:
        name, _, _, children = tree
        return name, [without_brackets(one) for one in children]
    return tree


def test_the_tables_are_made_of_the_grammar() -> None:
    assert OUT.read_text(encoding="utf-8") == tables_text(), "run grammar/make_tables.py"


SPECS = [*(ROOT / "specs").rglob("*.cm2"), *(ROOT / "tests" / "dsl" / "everything").glob("*.cm2")]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_spec_is_read_as_lark_reads_it_places_too(path: Path, stock: Lark) -> None:
    text = path.read_text(encoding="utf-8")
    found, wanted = ours(text), theirs(stock, text)
    assert found is not None
    assert without_brackets(found) == without_brackets(wanted)
    assert differs_by_brackets(found, wanted, text)


def differs_by_brackets(one: Any, other: Any, text: str) -> bool:
    """Whether places differ at most by brackets and white space around a part."""
    if one == other:
        return True
    if not (isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other) == 4):
        return False
    starts, stops = sorted((one[1], other[1])), sorted((one[2], other[2]))
    between = text[slice(*starts)] + text[slice(*stops)]
    return not between.strip("() \n\t") and all(
        differs_by_brackets(a, b, text) for a, b in zip(one[3], other[3], strict=True)
    )


def mutated(text: str, rng: random.Random) -> str:
    """The text with a word taken out, put twice, or exchanged for another."""
    words = text.split(" ")
    place = rng.randrange(len(words))
    change: Sequence[str] = rng.choice([[], [words[place]] * 2, [rng.choice(words)]])
    return " ".join([*words[:place], *change, *words[place + 1 :]])


@pytest.mark.parametrize("seed", range(20))
def test_sentences_and_what_is_nearly_one_are_read_as_lark_reads_them(
    seed: int, stock: Lark
) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        text = sentence(rng)
        for one in (text, mutated(text, rng), mutated(mutated(text, rng), rng)):
            found, wanted = ours(one), theirs(stock, one)
            assert (found is None) == (wanted is None), one
            assert without_brackets(found) == without_brackets(wanted)


def test_every_rule_has_a_method_and_every_method_a_rule() -> None:
    wanted = {method for name, _, method, _ in tables.RULES if method and name[:2] != "__"}
    assert {name for name in vars(Builder) if name[:1] != "_"} == wanted


def test_white_space_that_leads_nowhere_takes_no_time() -> None:
    assert ours("cm2 1" + " " * 100_000 + "§") is None
