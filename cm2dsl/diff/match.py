"""What became of what: by name first, then by content, then by likeness."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Generic, TypeVar

LIKE = 0.6
"""How much alike two texts must be (difflib's ratio) to be taken for one thing renamed."""

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Pair(Generic[Thing]):
    """`how` they were matched; `likely` is a guess."""

    before: Thing
    after: Thing
    how: str


@dataclass(frozen=True, slots=True)
class Matched(Generic[Thing]):
    pairs: tuple[Pair[Thing], ...]
    gone: tuple[Thing, ...]
    come: tuple[Thing, ...]


def match(
    before: Sequence[Thing],
    after: Sequence[Thing],
    name: Callable[[Thing], str],
    contents: Sequence[Callable[[Thing], Hashable]],
    text: Callable[[Thing], str],
) -> Matched[Thing]:
    """Match two lists.

    After names, each of `contents` is tried in turn: things whose contents are equal are one thing
    under two names. What is then left is matched by the likeness of its `text`, the most alike
    first.
    """
    named = {name(one): number for number, one in enumerate(after)}
    found: dict[int, tuple[int, str]] = {}
    for number, one in enumerate(before):
        if name(one) in named:
            found[number] = (named[name(one)], "name")
    for content in contents:
        gone, come = _left(before, after, found)
        waiting: dict[Hashable, list[int]] = {}
        for number in come:
            waiting.setdefault(content(after[number]), []).append(number)
        for number in gone:
            same = waiting.get(content(before[number]))
            if same:
                found[number] = (same.pop(0), "content")
    gone, come = _left(before, after, found)
    alike = sorted(
        (-SequenceMatcher(None, text(before[i]), text(after[j]), autojunk=False).ratio(), i, j)
        for i in gone
        for j in come
    )
    for ratio, i, j in alike:
        if -ratio >= LIKE and i not in found and j not in {other for other, _ in found.values()}:
            found[i] = (j, "likely")
    gone, come = _left(before, after, found)
    return Matched(
        tuple(Pair(before[i], after[j], how) for i, (j, how) in sorted(found.items())),
        tuple(before[i] for i in gone),
        tuple(after[j] for j in come),
    )


def _left(
    before: Sequence[Thing], after: Sequence[Thing], found: dict[int, tuple[int, str]]
) -> tuple[list[int], list[int]]:
    taken = {other for other, _ in found.values()}
    return (
        [i for i in range(len(before)) if i not in found],
        [j for j in range(len(after)) if j not in taken],
    )
