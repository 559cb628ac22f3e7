"""A check as a table over the questions that it asks of a dialogue.

Two checks with equal tables say the same of every dialogue, however they are written: `not (a or
b)` and `not a and not b` have one table. `exactly 2` is `at least 2 and not at least 3`, and a call
of one of two tools is a call of the one or of the other. What a question has no bearing on is taken
out of the table.

Questions are taken to be independent of each other, but for numbers of calls: that there are three
calls implies that there are two. So unequal tables may still say the same; equal tables never
differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod

ROWS = 4096
"""Rows of a table at most. Checks with larger ones are compared by their form."""


@dataclass(frozen=True, slots=True)
class Atom:
    """That a question's number is at least `times`; a question without one is 0 or 1.

    `soft`: where it is not so, a judge may still find it said. `parts`: it is so once, if one of
    these is. `shown` is the question as it is written, where that is something else.
    """

    question: str
    times: int
    soft: bool = False
    parts: tuple[str, ...] = field(default=(), compare=False)
    shown: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Joined:
    """`and` or `or` of parts; no parts are true, and false."""

    word: str
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    part: Tree


Tree = Atom | Joined | Negated

TRUE = Joined("and", ())


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a check says, in a form that is equal for equal tables.

    `questions` have the numbers at which the check's value changes, `values` one letter (`T`, `F`,
    or `U` for undecided) a row. `form` is a normal form in place of a table that would be too
    large.
    """

    questions: tuple[tuple[str, tuple[int, ...]], ...]
    values: str
    form: str = ""


def meaning(tree: Tree, judged: bool) -> Meaning:
    """The table of a tree; `judged`: a judge decides what words that are not there leave open."""
    times = _times(tree)
    apart = _apart(tree, times)
    if _rows(_times(apart)) <= ROWS:
        tree, times = apart, _times(apart)
    if _rows(times) > ROWS:
        return Meaning((), "", form=("judged " if judged else "") + form(tree))
    names = list(times)
    table = {
        state: _value(tree, dict(zip(names, state, strict=True)), times, judged)
        for state in product(*(range(len(times[name]) + 1) for name in names))
    }
    for place, name in enumerate(names):
        table = _reduced(table, place, times[name])
    kept = [(name, tuple(times[name])) for name in names if times[name]]
    return Meaning(tuple(kept), "".join(table[state] for state in sorted(table)))


_Times = dict[str, list[int]]


def _times(tree: Tree) -> _Times:
    """The numbers that are asked for of each question, in order."""
    times: _Times = {}
    for atom in sorted(set(asked(tree)), key=lambda one: (one.question, one.times)):
        times.setdefault(atom.question, []).append(atom.times)
    return times


def _rows(times: _Times) -> int:
    return prod(len(numbers) + 1 for numbers in times.values())


def _apart(tree: Tree, times: _Times) -> Tree:
    """The tree with a question of several tools as one of each, where one call is all it asks."""
    match tree:
        case Atom():
            if len(tree.parts) < 2 or times[tree.question] != [1]:
                return tree
            return Joined("or", tuple(Atom(part, 1, tree.soft) for part in tree.parts))
        case Negated():
            return Negated(_apart(tree.part, times))
        case Joined():
            return Joined(tree.word, tuple(_apart(part, times) for part in tree.parts))


_Table = dict[tuple[int, ...], str]


def _reduced(table: _Table, place: int, times: list[int]) -> _Table:
    """The table without the numbers of one question between which nothing changes."""
    for level in range(len(times), 0, -1):
        at_level = {state: value for state, value in table.items() if state[place] == level}
        below = ((*state[:place], level - 1, *state[place + 1 :]) for state in at_level)
        if [table[state] for state in below] != list(at_level.values()):
            continue
        del times[level - 1]
        table = {
            (*state[:place], state[place] - (state[place] > level), *state[place + 1 :]): value
            for state, value in table.items()
            if state[place] != level
        }
    return table


def _value(tree: Tree, state: dict[str, int], times: dict[str, list[int]], judged: bool) -> str:
    """Kleene's logic: `T`, `F` or `U`."""
    match tree:
        case Atom():
            reached = state[tree.question]
            if reached > times[tree.question].index(tree.times):
                return "T"
            return "U" if judged and tree.soft else "F"
        case Negated():
            value = _value(tree.part, state, times, judged)
            return {"T": "F", "F": "T"}.get(value, value)
        case Joined():
            values = [_value(part, state, times, judged) for part in tree.parts]
            strong, weak = ("F", "T") if tree.word == "and" else ("T", "F")
            return strong if strong in values else "U" if "U" in values else weak


def asked(tree: Tree) -> Iterator[Atom]:
    """Every question of a tree, as often as it stands there."""
    match tree:
        case Atom():
            yield tree
        case Negated():
            yield from asked(tree.part)
        case Joined():
            for part in tree.parts:
                yield from asked(part)


def form(tree: Tree, negated: bool = False) -> str:
    """The tree as text, `not` on the atoms alone, equal parts once, and in order."""
    match tree:
        case Atom():
            text = tree.question + (f" at_least {tree.times} times" if tree.times != 1 else "")
            return f"not {text}" if negated else text
        case Negated():
            return form(tree.part, not negated)
        case Joined():
            word = {"and": "or", "or": "and"}[tree.word] if negated else tree.word
            parts = sorted(set(_flat(tree, word, negated)))
            if not parts:
                return "true" if word == "and" else "false"
            return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"


def _flat(tree: Joined, word: str, negated: bool) -> Iterator[str]:
    for part in tree.parts:
        inner, turned = part, negated
        while isinstance(inner, Negated):
            inner, turned = inner.part, not turned
        own = ""
        if isinstance(inner, Joined):
            own = {"and": "or", "or": "and"}[inner.word] if turned else inner.word
        if isinstance(inner, Joined) and own == word:
            yield from _flat(inner, word, turned)
        else:
            yield form(inner, turned)
