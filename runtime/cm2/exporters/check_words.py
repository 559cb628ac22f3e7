"""A check in English, for a reader or a judge who does not know the language."""

from __future__ import annotations

import json
from typing import assert_never

from cm2dsl import ir

OPERATORS: dict[ir.Operator, str] = {
    "==": "equal to",
    "!=": "other than",
    "<": "less than",
    "<=": "at most",
    ">": "more than",
    ">=": "at least",
    "in": "one of",
    "contains": "containing",
    "~": "matching",
    "exists": "present",
}


def in_words(check: ir.Check, row: ir.Row | None) -> str:
    """The check as a clause: `the assistant called search with origin equal to "ROM"`."""
    match check:
        case ir.Called():
            return _called(check, row)
        case ir.Before(first=first, second=second):
            return f"{_called(first, row)} before any call of {_pattern(second, row)}"
        case ir.Result(call=call, has=has):
            return f"a result of {_pattern(call, row)} has {_constraint(has, row)}"
        case ir.Replied():
            return "the assistant replied and called no tool"
        case ir.ReplyContains(value=value, ignoring=ignoring):
            aside = f" (leaving out {json.dumps(ignoring, ensure_ascii=False)})" if ignoring else ""
            return f"the reply says {_value(value, row)}{aside}"
        case ir.ReplyMatches(pattern=pattern):
            return f"the reply matches the regular expression /{pattern}/"
        case ir.ReplyMentions(call=call, path=path):
            return f"the reply mentions some {_path(path)} in a result of {_pattern(call, row)}"
        case ir.And(of=parts):
            return " and ".join(_part(part, row) for part in parts)
        case ir.Or(of=parts):
            return " or ".join(_part(part, row) for part in parts)
        case ir.Not(of=part):
            return f"it is not so that {_part(part, row)}"
        case _:
            assert_never(check)


def _part(check: ir.Check, row: ir.Row | None) -> str:
    words = in_words(check, row)
    return f"({words})" if isinstance(check, ir.And | ir.Or | ir.Not) else words


def _called(call: ir.Called, row: ir.Row | None) -> str:
    who = "the assistant" if call.by == "agent" else "the user"
    verb = {
        "any": "called",
        "succeeded": "successfully called",
        "failed": "called, and got an error from,",
    }[call.outcome]
    count = ""
    if call.count is not None:
        how = call.count.op.replace("_", " ")
        count = f" {how} {call.count.times} time" + ("" if call.count.times == 1 else "s")
    return f"{who} {verb} {_pattern(call, row)}{count}"


def _pattern(call: ir.Called, row: ir.Row | None) -> str:
    tool = call.tool or "any tool"
    if call.tools is not None:
        tool = "any of " + ", ".join(call.tools)
    parts = [_constraint(each, row) for each in call.where]
    text = tool + (" with " + " and ".join(parts) if parts else "")
    if call.exact:
        text += " and no other argument" if parts else " without arguments"
    if call.but:
        text += " (but not " + ", nor ".join(_pattern(each, row) for each in call.but) + ")"
    return text


def _constraint(constraint: ir.Constraint, row: ir.Row | None) -> str:
    negated = "not " if constraint.negated else ""
    words = f"{_path(constraint.path)} {negated}{OPERATORS[constraint.op]}"
    if constraint.value is None:
        return words
    if constraint.op == "~" and isinstance(constraint.value, ir.Constant):
        return f"{words} /{constraint.value.value}/"
    within = f" within {constraint.tolerance:g}" if constraint.tolerance is not None else ""
    return f"{words} {_value(constraint.value, row)}{within}"


def _path(path: ir.Path) -> str:
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}" if text else step
        else:
            text += "[*]" if step is None else f"[{step}]"
    return text


def _value(value: ir.Value, row: ir.Row | None) -> str:
    match value:
        case ir.Constant(value=constant):
            return json.dumps(constant, ensure_ascii=False)
        case ir.RowRef():
            return json.dumps(ir.look_up(value, row), ensure_ascii=False)
        case ir.Filled(text=text):
            return json.dumps(ir.fill(text, row), ensure_ascii=False)
        case ir.Many(values=values):
            return "[" + ", ".join(_value(each, row) for each in values) + "]"
        case _:
            assert_never(value)
