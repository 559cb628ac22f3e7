"""The LALR parser made from grammar/cm2.lark."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lark import Lark, Token


class NamesEverywhere:
    """Lets the lexer see a whole name in every state, so that `itemx` is never `item` and `x`."""

    always_accept = ("NAME",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def grammar_text() -> str:
    """The grammar: beside this module when installed, in `grammar/` in a checkout."""
    here = Path(__file__).parent
    installed = here / "cm2.lark"
    path = installed if installed.exists() else here.parent / "grammar" / "cm2.lark"
    return path.read_text(encoding="utf-8")


@cache
def parser() -> Lark:
    return Lark(
        grammar_text(),
        parser="lalr",
        propagate_positions=True,
        maybe_placeholders=True,
        postlex=NamesEverywhere(),
    )
