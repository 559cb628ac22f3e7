"""The questions that a check of the IR asks, as text in a normal form.

Constraints, tools and exceptions are sorted and stand once, and row values are filled in where
there is a row. What a reply is to say is folded, as replies are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from cm2dsl import ir
from cm2dsl.checks import fold
from cm2dsl.diff.meaning import TRUE, Atom, Joined, Negated, Tree, asked, form
from cm2dsl.draft.syntax import path as path_text
from cm2dsl.draft.syntax import tool as tool_text


def atoms(check: ir.Check, row: ir.Row | None) -> dict[str, str]:
    """The questions of a check, sorted: each in its normal form, and as text for people."""
    found = sorted(asked(tree_of(check, row)), key=form)
    return {form(one): form(replace(one, question=one.shown or one.question)) for one in found}


def tree_of(check: ir.Check, row: ir.Row | None) -> Tree:
    """The check with its questions as text. Without a row, references stand for themselves."""
    match check:
        case ir.Called():
            word = "called" if check.outcome == "any" else check.outcome
            question, *parts = (f"{_who(check)}{word} {each}" for each in _patterns(check, row))
            return _counted(Atom(question, 1, parts=tuple(parts)), check.count)
        case ir.Before():
            first, second = _pattern(check.first, row), _pattern(check.second, row)
            return Atom(f"{_who(check.first)}called {first} before {second}", 1)
        case ir.Result():
            has = _constraint(check.has, row)
            question, *parts = (
                f"{_who(check.call)}result {each} has {has}" for each in _patterns(check.call, row)
            )
            return Atom(question, 1, parts=tuple(parts))
        case ir.Replied():
            return Atom("replied", 1)
        case ir.ReplyContains():
            left_out = "".join(sorted(set(check.ignoring)))
            ignoring = f" ignoring {json.dumps(left_out, ensure_ascii=False)}" if left_out else ""
            asked, said = (
                f"reply contains {each}{ignoring}"
                for each in (_said(check, row), _known(check.value, row))
            )
            return Atom(asked, 1, soft=True, shown=said)
        case ir.ReplyMatches():
            return Atom(f"reply matches {_regex(check.pattern)}", 1, soft=True)
        case ir.ReplyMentions():
            of = f"{_path(check.path)} of {_who(check.call)}"
            question, *parts = (f"reply mentions {of}{each}" for each in _patterns(check.call, row))
            return Atom(question, 1, soft=True, parts=tuple(parts))
        case ir.And():
            return Joined("and", tuple(tree_of(part, row) for part in check.of))
        case ir.Or():
            return Joined("or", tuple(tree_of(part, row) for part in check.of))
        case ir.Not():
            return Negated(tree_of(check.of, row))


def _counted(one: Atom, count: ir.Count | None) -> Tree:
    if count is None:
        return one
    least = replace(one, times=count.times) if count.times else TRUE
    most = Negated(replace(one, times=count.times + 1))
    if count.op == "at_least":
        return least
    return most if count.op == "at_most" else Joined("and", (least, most))


def _who(call: ir.Called) -> str:
    return "user " if call.by == "user" else ""


def _patterns(call: ir.Called, row: ir.Row | None) -> Iterator[str]:
    """The pattern as text; and where it names several tools, the pattern of each."""
    yield _pattern(call, row)
    for tool in sorted(set(call.tools or ())) if len(set(call.tools or ())) > 1 else ():
        yield _pattern(structs.replace(call, tool=tool, tools=None), row)


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


def _said(check: ir.ReplyContains, row: ir.Row | None) -> str:
    """What a reply is to say, as text: a string as it is searched for, case and space aside."""
    match check.value:
        case ir.Constant():
            found: Any = check.value.value
        case ir.RowRef() if row is not None:
            found = ir.look_up(check.value, row)
        case ir.Filled() if row is not None:
            found = ir.fill(check.value.text, row)
        case _:
            return _known(check.value, row)
    if isinstance(found, bool):
        found = "true" if found else "false"
    return _json(fold(found, check.ignoring) if isinstance(found, str) else found)


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
