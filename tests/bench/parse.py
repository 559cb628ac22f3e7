"""Parsing .cm2 text with positions, against Lark's own LALR parser on the same grammar.

    python tests/bench/parse.py           # 60,000 lines, rounds of both in turn

Ours makes the syntax tree of `cm2dsl.nodes`; Lark makes its generic tree (`parser="lalr"`,
`propagate_positions=True`). Needs lark, which only the tests do. Nothing else should run.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lark import Lark

from cm2dsl.diagnostic import Log
from cm2dsl.parse import parse
from cm2dsl.source import Source

ROOT = Path(__file__).parents[2]
LINES = 60_000
ROUNDS = 5


class NamesEverywhere:
    """What the grammar needs of Lark's lexer: a whole name in every state."""

    always_accept = ("NAME",)

    def process(self, stream: object) -> object:
        return stream


def corpus() -> str:
    """The shipped airline spec, without its first line, again and again."""
    text = (ROOT / "specs" / "airline.cm2").read_text(encoding="utf-8")
    edition, body = text.split("\n", 1)
    return edition + "\n" + body * (LINES // body.count("\n"))


def main() -> None:
    text = corpus()
    grammar = (ROOT / "grammar" / "cm2.lark").read_text(encoding="utf-8")
    lark = Lark(grammar, parser="lalr", propagate_positions=True, postlex=NamesEverywhere())
    source = Source(Path("corpus.cm2"), "corpus.cm2", text)

    def ours() -> None:
        assert parse(source, Log()) is not None

    rounds = [(seconds(lambda: lark.parse(text)), seconds(ours)) for _ in range(ROUNDS)]
    ratios = sorted(theirs / mine for theirs, mine in rounds)
    lines = text.count("\n")
    theirs, mine = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{lines:,} lines")
    print(f"lark   {theirs:.2f} s  {lines / theirs:,.0f} lines/s")
    print(f"cm2c   {mine:.2f} s  {lines / mine:,.0f} lines/s")
    print(f"ratio  {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
