"""Whether two texts say the same: the same syntax tree, and the same comments in order."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from cm2dsl.build import Builder
from cm2dsl.diagnostic import Log
from cm2dsl.driver import Stack, drive, rules_for
from cm2dsl.fmt.tokens import tokens_of
from cm2dsl.source import Source, Span


def says_the_same(one: Source, other: Source) -> bool:
    """Raises Unexpected or TooDeep where a text is not in the language."""
    return meaning_of(one) == meaning_of(other) and _comments(one) == _comments(other)


def meaning_of(source: Source) -> Any:
    """The syntax tree without places, to compare. Raises as `says_the_same` does."""
    return _meaning(drive(source, rules_for(Builder(source, Log())), Stack()))


def _meaning(node: Any) -> Any:
    """A node without places."""
    if isinstance(node, Struct):
        fields = (getattr(node, name) for name in node.__struct_fields__)
        kept = [_meaning(one) for one in fields if not isinstance(one, Span | Source)]
        return type(node).__name__, kept
    if isinstance(node, tuple):
        return [_meaning(one) for one in node]
    return node


def _comments(source: Source) -> list[str]:
    found: list[str] = []
    for tok in tokens_of(source):
        found += [comment.text for comment in tok.above]
        found += [tok.behind] if tok.behind is not None else []
    return found
