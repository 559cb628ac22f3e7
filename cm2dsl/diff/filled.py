"""Checks with a row's values filled in, so that equal parts are equal to Python too."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.checks import fold


def filled(check: ir.Check, row: ir.Row | None) -> ir.Check:
    """The check with its values as they are compared. It is to be compared, and not to be run."""
    match check:
        case ir.And() | ir.Or():
            return replace(check, of=tuple(filled(part, row) for part in check.of))
        case ir.Not():
            return replace(check, of=filled(check.of, row))
        case ir.Called():
            return _called(check, row)
        case ir.Before():
            first, second = (_called(each, row) for each in (check.first, check.second))
            return replace(check, first=first, second=second)
        case ir.Result():
            return replace(check, call=_called(check.call, row), has=_constraint(check.has, row))
        case ir.ReplyMentions():
            return replace(check, call=_called(check.call, row))
        case ir.ReplyContains():
            value = _value(check.value, row)
            if isinstance(value, ir.Constant) and isinstance(value.value, str):
                value = ir.Constant(fold(value.value, check.ignoring))
            left_out = "".join(sorted(set(check.ignoring)))
            return ir.ReplyContains(value=value, ignoring=left_out)
    return check


def _called(call: ir.Called, row: ir.Row | None) -> ir.Called:
    where = tuple(dict.fromkeys(_constraint(each, row) for each in call.where))
    return replace(call, where=where, but=tuple(_called(each, row) for each in call.but))


def _constraint(constraint: ir.Constraint, row: ir.Row | None) -> ir.Constraint:
    if constraint.value is None:
        return constraint
    value, op = _value(constraint.value, row), constraint.op
    if op == "in" and isinstance(value, ir.Many) and len(value.values) == 1:
        value, op = value.values[0], "=="
    return replace(constraint, value=value, op=op)


def _value(value: ir.Value, row: ir.Row | None) -> ir.Value:
    match value:
        case ir.Constant():
            return _constant(value.value)
        case ir.RowRef() if row is not None:
            return _constant(ir.look_up(value, row))
        case ir.Filled() if row is not None:
            return ir.Constant(ir.fill(value.text, row))
        case ir.Many():
            return ir.Many(tuple(_value(each, row) for each in value.values))
    return value


def _constant(value: Any) -> ir.Value:
    """The value; `true` as something that Python does not take for 1."""
    if isinstance(value, list):
        return ir.Many(tuple(map(_constant, value)))
    if isinstance(value, bool):
        return ir.Filled((str(value).lower(),))
    return ir.Constant(value if not isinstance(value, dict) else repr(sorted(value.items())))
