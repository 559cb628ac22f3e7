"""Looking for parts of a tree, of syntax or of the IR, however deep they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from msgspec import Struct

from cm2dsl.source import Span

Part = TypeVar("Part", bound=Struct)


def walk(tree: object, kind: type[Part]) -> Iterator[Part]:
    """The parts of a kind in a node or in a tuple of them, in the order of their fields.

    A part of that kind is looked into as well, and the node itself is one of its parts.
    """
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting.extend(reversed(part))
        elif isinstance(part, Struct) and not isinstance(part, Span):
            if isinstance(part, kind):
                yield part
            waiting.extend(getattr(part, name) for name in reversed(part.__struct_fields__))
