"""A check as a table over the questions that it asks of a dialogue.

Two checks with equal tables say the same of every dialogue, however they are written: `not (a or
b)` and `not a and not b` have one table. A question is a text in a normal form: constraints, tools
and exceptions are sorted and stand once, row values are filled in where there is a row, `exactly 2`
is `at least 2 and not at least 3`. What a question has no bearing on is taken out of the table.

Questions are taken to be independent of each other, but for numbers of calls: that there are three
calls implies that there are two. So unequal tables may still say the same; equal tables never
differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from cm2dsl import ir
from cm2dsl.draft.syntax import path as path_text
from cm2dsl.draft.syntax import tool as tool_text

ROWS = 4096
"""Rows of a table at most. Checks with larger ones are compared by their form."""


@dataclass(frozen=True, slots=True)
class Atom:
    """That a question's number is at least `times`; a question without one is 0 or 1.

    `soft`: where it is not so, a judge may still find it said.
    """

    question: str
    times: int
    soft: bool = False


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
    atoms = set(_atoms(tree))
    times: dict[str, list[int]] = {}
    for atom in sorted(atoms, key=lambda one: (one.question, one.times)):
        times.setdefault(atom.question, []).append(atom.times)
    rows = 1
    for numbers in times.values():
        rows *= len(numbers) + 1
    if rows > ROWS:
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


def _atoms(tree: Tree) -> Iterator[Atom]:
    match tree:
        case Atom():
            yield tree
        case Negated():
            yield from _atoms(tree.part)
        case Joined():
            for part in tree.parts:
                yield from _atoms(part)


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


def atoms(check: ir.Check, row: ir.Row | None) -> list[str]:
    """The questions of a check as text, sorted."""
    return sorted({form(atom) for atom in _atoms(tree_of(check, row))})


# --- from the IR ------------------------------------------------------------------------------


def tree_of(check: ir.Check, row: ir.Row | None) -> Tree:
    """The check with its questions as text. Without a row, references stand for themselves."""
    match check:
        case ir.Called():
            word = "called" if check.outcome == "any" else check.outcome
            return _counted(f"{_who(check)}{word} {_pattern(check, row)}", check.count)
        case ir.Before():
            first, second = _pattern(check.first, row), _pattern(check.second, row)
            return Atom(f"{_who(check.first)}called {first} before {second}", 1)
        case ir.Result():
            has = _constraint(check.has, row)
            return Atom(f"{_who(check.call)}result {_pattern(check.call, row)} has {has}", 1)
        case ir.Replied():
            return Atom("replied", 1)
        case ir.ReplyContains():
            left_out = "".join(sorted(set(check.ignoring)))
            ignoring = f" ignoring {json.dumps(left_out, ensure_ascii=False)}" if left_out else ""
            return Atom(f"reply contains {_known(check.value, row)}{ignoring}", 1, soft=True)
        case ir.ReplyMatches():
            return Atom(f"reply matches {_regex(check.pattern)}", 1, soft=True)
        case ir.ReplyMentions():
            found = f"{_path(check.path)} of {_who(check.call)}{_pattern(check.call, row)}"
            return Atom(f"reply mentions {found}", 1, soft=True)
        case ir.And():
            return Joined("and", tuple(tree_of(part, row) for part in check.of))
        case ir.Or():
            return Joined("or", tuple(tree_of(part, row) for part in check.of))
        case ir.Not():
            return Negated(tree_of(check.of, row))


def _counted(question: str, count: ir.Count | None) -> Tree:
    if count is None:
        return Atom(question, 1)
    least = Atom(question, count.times) if count.times else TRUE
    most = Negated(Atom(question, count.times + 1))
    if count.op == "at_least":
        return least
    return most if count.op == "at_most" else Joined("and", (least, most))


def _who(call: ir.Called) -> str:
    return "user " if call.by == "user" else ""


def _pattern(call: ir.Called, row: ir.Row | None) -> str:
    tools = [call.tool] if call.tools is None else sorted(set(call.tools))
    text = "|".join("*" if name is None else tool_text(name) for name in tools) or "no tool"
    where = sorted({_constraint(each, row) for each in call.where})
    where += ["nothing else"] if call.exact else []
    text += f"({', '.join(where)})" if where else ""
    but = sorted({_pattern(each, row) for each in call.but})
    return text + (f" except {', '.join(but)}" if but else "")


def _constraint(constraint: ir.Constraint, row: ir.Row | None) -> str:
    op, value = constraint.op, constraint.value
    if op == "in" and isinstance(value, ir.Many):
        choices = sorted({_known(each, row) for each in value.values})
        said = f"== {choices[0]}" if len(choices) == 1 else f"in [{', '.join(choices)}]"
    elif op == "~" and isinstance(value, ir.Constant):
        said = f"~ {_regex(str(value.value))}"
    else:
        said = op if value is None else f"{op} {_known(value, row)}"
    near = f" +- {constraint.tolerance!r}" if constraint.tolerance else ""
    return f"{'not ' if constraint.negated else ''}{_path(constraint.path)} {said}{near}"


def _known(value: ir.Value, row: ir.Row | None) -> str:
    """A value as text: equal texts are equal values."""
    match value:
        case ir.Constant():
            return _json(value.value)
        case ir.RowRef():
            return _reference(value) if row is None else _json(ir.look_up(value, row))
        case ir.Filled():
            return words(value.text, row)
        case ir.Many():
            return "[" + ", ".join(_known(each, row) for each in value.values) + "]"


def words(text: ir.Text, row: ir.Row | None) -> str:
    """Text, quoted, with the row's values or with the references to them."""
    if row is not None:
        return _json(ir.fill(text, row))
    parts = (
        json.dumps(part, ensure_ascii=False)[1:-1].replace("{", "\\{")
        if isinstance(part, str)
        else "{" + _reference(part) + "}"
        for part in text
    )
    return '"' + "".join(parts) + '"'


def _reference(ref: ir.RowRef) -> str:
    steps = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in ref.path)
    return f"row{steps}" + (" as text" if ref.as_text else "")


def _json(value: Any) -> str:
    """JSON in which 1.0 is 1, as equality of the language has it."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _path(path: Sequence[str | int | None]) -> str:
    text = ""
    for step in path:
        piece = "[*]" if step is None else path_text([step])
        text += piece if not text or piece.startswith("[") else f".{piece}"
    return text or "it"


def _regex(pattern: str) -> str:
    return f"/{pattern}/" if "/" not in pattern else f"the pattern {_json(pattern)}"
