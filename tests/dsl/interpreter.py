"""What a check means, written as slowly and obviously as possible.

`holds(check, turn, row, judged)` says what a check (cm2dsl.ir.Check) is after the steps of a turn
(or its first steps): True, False, or None where the item has a judge and the words are not there.
It follows docs/language.md and shares no code with cm2dsl/checks.py, cm2dsl/scope.py, the emitter
or cm2/decide.py.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from fractions import Fraction
from typing import Any

from cm2dsl import ir
from cm2dsl.trajectory import Call, Turn

NOTHING = object()
"""A tool result that is missing, is `null`, or is not strict JSON."""


def holds(check: ir.Check, turn: Turn, row: ir.Row | None, judged: bool) -> bool | None:
    if isinstance(check, ir.Not):
        inner = holds(check.of, turn, row, judged)
        if inner is None:
            return None
        return not inner
    if isinstance(check, ir.And):
        parts = [holds(part, turn, row, judged) for part in check.of]
        if False in parts:
            return False
        if None in parts:
            return None
        return True
    if isinstance(check, ir.Or):
        parts = [holds(part, turn, row, judged) for part in check.of]
        if True in parts:
            return True
        if None in parts:
            return None
        return False
    if isinstance(check, ir.Called):
        return _counts(check.count, len(_calls(check, turn, row)))
    if isinstance(check, ir.Before):
        return _before(check, turn, row)
    if isinstance(check, ir.Replied):
        last = turn.steps[-1]
        return last.reply != "" and last.calls == () and last.malformed is None
    if isinstance(check, ir.Result):
        for call in _calls(check.call, turn, row):
            result = _result(call)
            if result is not NOTHING and _meets(check.has, result, row):
                return True
        return False
    if _is_said(check, turn, row):
        return True
    if judged:
        return None
    return False


# --- calls ------------------------------------------------------------------------------------


def _calls(pattern: ir.Called, turn: Turn, row: ir.Row | None) -> list[Call]:
    """The calls of the turn that match."""
    if pattern.by == "user":
        made = list(turn.acts)
    else:
        made = [call for step in turn.steps for call in step.calls]
    found = [call for call in made if _is_such(pattern, call, row)]
    for other in pattern.but:
        found = [call for call in found if not _is_such(other, call, row)]
    if pattern.outcome == "succeeded":
        found = [call for call in found if call.result is not None and not _is_error(call)]
    if pattern.outcome == "failed":
        found = [call for call in found if call.result is not None and _is_error(call)]
    return found


def _is_such(pattern: ir.Called, call: Call, row: ir.Row | None) -> bool:
    if pattern.tool is not None and call.tool != pattern.tool:
        return False
    if pattern.tools is not None and call.tool not in pattern.tools:
        return False
    if not pattern.where and not pattern.exact:
        return True
    if call.arguments is None:
        return False
    arguments = dict(call.arguments)
    if not all(_meets(one, arguments, row) for one in pattern.where):
        return False
    if pattern.exact:
        named = [list(one.path) for one in pattern.where]
        return all(_is_named(place, named) for place in _places(arguments, []))
    return True


def _places(value: Any, path: list[str | int]) -> list[list[str | int]]:
    """The path of every value inside a JSON value, itself left out."""
    inside: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    if isinstance(value, list):
        inside = list(enumerate(value))
    found = []
    for step, inner in inside:
        found.append([*path, step])
        found += _places(inner, [*path, step])
    return found


def _is_named(place: list[str | int], named: list[list[str | int | None]]) -> bool:
    """Whether a value is on the way to a path that is named, or beyond its end."""
    for path in named:
        both = min(len(place), len(path))
        fits = True
        for there, wanted in zip(place[:both], path[:both], strict=True):
            if wanted is None:
                fits = fits and isinstance(there, int)
            else:
                fits = fits and type(there) is type(wanted) and there == wanted
        if fits:
            return True
    return False


def _is_error(call: Call) -> bool:
    if call.failed is not None:
        return call.failed
    assert call.result is not None
    if call.result.strip()[:6].lower() in ("error", "error:"):
        return True
    value = _result(call)
    return isinstance(value, dict) and value.get("error") not in (None, False, "", 0, [], {})


def _counts(count: ir.Count | None, found: int) -> bool:
    if count is None:
        return found > 0
    if count.op == "at_least":
        return found >= count.times
    if count.op == "at_most":
        return found <= count.times
    return found == count.times


def _before(check: ir.Before, turn: Turn, row: ir.Row | None) -> bool:
    """The first was called, and nothing that matches the second in that step or before it."""
    for number in range(len(turn.steps)):
        until_here = replace(turn, steps=turn.steps[: number + 1])
        if _calls(check.second, until_here, row):
            return False
        if _calls(check.first, until_here, row):
            return True
    return False


def _result(call: Call) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(word)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            refuse("a key that stands twice")
        return dict(pairs)

    if call.result is None:
        return NOTHING
    try:
        value = json.loads(call.result, parse_constant=refuse, object_pairs_hook=unique)
    except ValueError:
        return NOTHING
    return NOTHING if value is None else value


# --- constraints ------------------------------------------------------------------------------


def _meets(constraint: ir.Constraint, value: Any, row: ir.Row | None) -> bool:
    """Some value at the path stands so to the constraint's; `not` turns that round."""
    some = False
    for found in _values_at(value, list(constraint.path)):
        if _stands(found, constraint, row):
            some = True
    if constraint.negated:
        return not some
    return some


def _values_at(value: Any, path: list[str | int | None]) -> list[Any]:
    if not path:
        return [value]
    step = path[0]
    inner: list[Any] = []
    if isinstance(value, dict) and isinstance(step, str) and step in value:
        inner = [value[step]]
    if isinstance(value, list) and step is None:
        inner = value
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        inner = [value[step]]
    return [last for each in inner for last in _values_at(each, path[1:])]


def _stands(found: Any, constraint: ir.Constraint, row: ir.Row | None) -> bool:
    op = constraint.op
    if op == "exists":
        return True
    assert constraint.value is not None
    if op == "in":
        assert isinstance(constraint.value, ir.Many)
        return any(_equal(found, _value(each, row)) for each in constraint.value.values)
    other = _value(constraint.value, row)
    if isinstance(constraint.value, ir.Many):
        return _equal(found, other) == (op == "==")
    if op == "==":
        return _equal(found, other) or _close(found, other, constraint.tolerance)
    if op == "!=":
        return not (_equal(found, other) or _close(found, other, constraint.tolerance))
    if op == "contains":
        if isinstance(found, list):
            return any(_equal(element, other) for element in found)
        return isinstance(found, str) and isinstance(other, str) and found.find(other) >= 0
    if op == "~":
        return isinstance(found, str) and re.compile(other).search(found) is not None
    order = _order(found, other)
    if order is None:
        return False
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[op]


def _plain(value: Any) -> Any:
    """A JSON value so written that Python's `==` is JSON's: 1 and 1.0 alike, and true apart."""
    if value is None or isinstance(value, bool | str):
        return (type(value).__name__, value)
    if isinstance(value, list):
        return ("list", [_plain(each) for each in value])
    if isinstance(value, dict):
        return ("object", {key: _plain(value[key]) for key in value})
    return ("number", Fraction(str(value)))


def _equal(one: Any, other: Any) -> bool:
    return bool(_plain(one) == _plain(other))


def _close(one: Any, other: Any, tolerance: float | None) -> bool:
    kinds = {_plain(one)[0], _plain(other)[0]}
    if tolerance is None or kinds != {"number"}:
        return False
    return bool(abs(_plain(one)[1] - _plain(other)[1]) <= Fraction(str(tolerance)))


def _order(one: Any, other: Any) -> int | None:
    """-1, 0 or 1 for two numbers or two texts; None for anything else."""
    kind, first = _plain(one)
    other_kind, second = _plain(other)
    if kind != other_kind or kind not in ("number", "str"):
        return None
    return -1 if first < second else int(first > second)


# --- values of the spec -----------------------------------------------------------------------


def _value(value: ir.Value, row: ir.Row | None) -> Any:
    if isinstance(value, ir.Constant):
        return value.value
    if isinstance(value, ir.RowRef):
        return _cell(value, row)
    if isinstance(value, ir.Many):
        return [_value(each, row) for each in value.values]
    assert isinstance(value, ir.Filled)
    return "".join(
        part if isinstance(part, str) else _as_text(_cell(part, row)) for part in value.text
    )


def _cell(ref: ir.RowRef, row: ir.Row | None) -> Any:
    assert row is not None
    if ref.as_text and row.text is not None:
        return row.text[str(ref.path[0])]
    return _values_at(row.values, list(ref.path))[0]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


# --- words in replies -------------------------------------------------------------------------


def _is_said(check: ir.Check, turn: Turn, row: ir.Row | None) -> bool:
    replies = [step.reply for step in turn.steps if step.reply != ""]
    if isinstance(check, ir.ReplyContains):
        value = _value(check.value, row)
        if check.ignoring and isinstance(value, str | bool):
            value = _without(_as_text(value), check.ignoring)
            replies = [_without(reply, check.ignoring) for reply in replies]
        return any(_says(reply, value) for reply in replies)
    if isinstance(check, ir.ReplyMatches):
        return any(re.search(check.pattern, reply) for reply in replies)
    assert isinstance(check, ir.ReplyMentions)
    for call in _calls(check.call, turn, row):
        result = _result(call)
        if result is NOTHING:
            continue
        for value in _values_at(result, list(check.path)):
            if any(_says(reply, value) for reply in replies):
                return True
    return False


def _without(text: str, characters: str) -> str:
    return "".join(char for char in text if char not in characters)


def _says(reply: str, value: Any) -> bool:
    if value is None or isinstance(value, list | dict):
        return False
    if value is True or value is False:
        value = "true" if value else "false"
    if isinstance(value, str):
        wanted = _folded(value)
        return wanted != "" and _folded(reply).find(wanted) >= 0
    wanted_number = Fraction(str(value))
    for number in _numbers(reply):
        if number == wanted_number:
            return True
        if wanted_number > 0 and number == -wanted_number:  # a dash, not a sign
            return True
    return False


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", text).strip(" ")


def _numbers(reply: str) -> list[Fraction]:
    """The numbers that a text writes in figures, each with its sign."""
    text = "".join(_half(char) for char in reply)
    found = []
    at = 0
    while at < len(text):
        if not text[at].isdecimal():
            at += 1
            continue
        start = at
        while at < len(text) and text[at].isdecimal():
            at += 1
        before = text[start - 1] if start else " "
        if _is_latin(before) or before in "_.":  # MU5101, .5
            continue
        whole = text[start:at]
        while len(whole.split(",")[0]) <= 3 and _thousands(text, at):
            whole += text[at : at + 4]
            at += 4
        if at < len(text) - 1 and text[at] == "." and text[at + 1].isdecimal():
            whole += "."
            at += 1
            while at < len(text) and text[at].isdecimal():
                whole += text[at]
                at += 1
        ahead = text[start - 2] if start > 1 else " "
        signed = before in "-−" and not (_is_latin(ahead) or ahead.isdecimal() or ahead in "_.")
        figures = "".join(str(int(char)) if char.isdecimal() else char for char in whole)
        number = Fraction(figures.replace(",", ""))
        found.append(-number if signed else number)
    return found


def _thousands(text: str, at: int) -> bool:
    """Whether a comma and just three digits stand here, with more such groups or none."""
    group = text[at : at + 4]
    after = text[at + 4 : at + 5]
    return group[:1] == "," and group[1:].isdecimal() and len(group) == 4 and not after.isdecimal()


def _half(char: str) -> str:
    """Full-width signs, letters and digits as ASCII; the full-width comma ends a clause."""
    code = ord(char)
    if 0xFF01 <= code <= 0xFF5E and char != "，":
        return chr(code - 0xFF01 + 0x21)
    return char


def _is_latin(char: str) -> bool:
    return "a" <= char <= "z" or "A" <= char <= "Z"
