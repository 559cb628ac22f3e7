"""Whether a value can stand where a schema, or an operator, wants a type."""

from __future__ import annotations

import json
from typing import Any

from cm2dsl import ir, nodes
from cm2dsl.checks import show
from cm2dsl.diagnostic import suggest
from cm2dsl.lower.bounds import EQUAL, out_of_bounds
from cm2dsl.lower.env import Env
from cm2dsl.schemas import PathType, json_type

ARTICLES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
ORDERED = {"integer", "number", "string"}


def describe(types: frozenset[str] | set[str]) -> str:
    return " or ".join(ARTICLES[name] for name in sorted(types))


def check_value(
    op: str, value: ir.Value, expected: PathType, what: str, at: nodes.Constraint, env: Env
) -> bool:
    """Reports a value that can never stand in `op` to what the schema allows; True if it can."""
    assert at.value is not None
    span = at.value.span
    if op == "in":
        if not isinstance(value, ir.Many):
            env.error("E202", "`in` wants a list", span, 'write it as `in ["a", "b"]`')
            return False
        if not value.values or any(isinstance(each, ir.Many) for each in value.values):
            what_is = "a list in a list" if value.values else "an empty list"
            env.error("E202", f"`in` has {what_is}", span, 'write it as `in ["a", "b"]`')
            return False
        fits = [_fits(each, expected, what, at, env) for each in value.values]  # reports them all
        return all(fits)
    if isinstance(value, ir.Many):
        return _check_list(op, value, expected, what, at, env)
    if op == "contains":
        if expected.types and not expected.types & {"string", "array"}:
            help = "`contains` is for text and lists; write `==`"
            env.error("E201", f"{what} is {describe(expected.types)}", at.span, help)
            return False
        if expected.types == {"string"}:
            return _fits(value, PathType(expected.types), what, at, env)
        return True
    if op in ("<", "<=", ">", ">="):
        types = {json_type(example) for example in _examples(value, env)}
        if not types <= ORDERED:
            help = "compare with a number, or with text such as a date"
            env.error("E202", f"`{op}` cannot order {describe(types)}", span, help)
            return False
        if expected.types and not expected.types & ORDERED:
            help = "only numbers and text have an order"
            env.error("E201", f"{what} is {describe(expected.types)}", at.span, help)
            return False
        if not _fits(value, PathType(_any_number(expected.types)), what, at, env):
            return False
        return _in_bounds(value, expected, what, at, env)
    if at.tolerance is not None:
        types = {json_type(example) for example in _examples(value, env)}
        if not types <= {"integer", "number"}:
            env.error("E202", "a tolerance wants a number", span, "leave the tolerance out")
            return False
        expected = PathType(_any_number(expected.types))
    return _fits(value, expected, what, at, env)


def _check_list(
    op: str, value: ir.Many, expected: PathType, what: str, at: nodes.Constraint, env: Env
) -> bool:
    """A whole list: only equality knows it, and only where the schema allows a list."""
    assert at.value is not None
    if op not in ("==", "!="):
        help = "write `in` for one of several values"
        env.error("E202", f"`{op}` wants one value, not a list", at.value.span, help)
        return False
    if at.tolerance is not None:
        help = "leave the tolerance out"
        env.error("E202", "a tolerance wants a number", at.value.span, help)
        return False
    if expected.types and "array" not in expected.types:
        help = "write `in` for one of several values"
        env.error("E201", f"{what} is {describe(expected.types)}", at.value.span, help)
        return False
    return True


def _fits(value: ir.Value, expected: PathType, what: str, at: nodes.Constraint, env: Env) -> bool:
    """Whether every example of the value has an expected type and is one of the choices."""
    assert at.value is not None
    if not expected.types:
        return True
    for example in _examples(value, env):
        if not _kinds(example) & expected.types:
            message = f"{what} is {describe(expected.types)}, {_shown(example)} is not"
            env.error("E201", message, at.value.span, _conversion(example, expected))
            return False
        if expected.choices is not None and at.op != "contains" and example not in expected.choices:
            known = [show(choice) for choice in expected.choices if choice is not None]
            message = f"{what} is never {_shown(example)}"
            env.error("E103", message, at.value.span, suggest(show(example), known))
            return False
    return at.op == "contains" or _in_bounds(value, expected, what, at, env)


def _in_bounds(
    value: ir.Value, expected: PathType, what: str, at: nodes.Constraint, env: Env
) -> bool:
    """Whether the schema's bounds leave some value that stands so to the one that is written."""
    assert at.value is not None
    for example in _examples(value, env):
        bound = out_of_bounds(at.op, example, expected)
        if bound is not None:
            shown = _shown(example)
            if at.op not in EQUAL:
                shown = f"`{at.op} {shown[1:]}"
            message = f"{what} is never {shown}"
            env.error("E103", message, at.value.span, f"its schema says `{bound}`")
            return False
    return True


def _any_number(types: frozenset[str]) -> frozenset[str]:
    """The types of what can be near to, or on one side of, a value of these types."""
    return types | {"integer", "number"} if types & {"integer", "number"} else types


def _kinds(example: Any) -> set[str]:
    """The schema types that a value has: an integer is a number, and 2.0 is an integer."""
    kind = json_type(example)
    if kind == "integer" or (kind == "number" and float(example).is_integer()):
        return {"integer", "number"}
    return {kind}


def _conversion(example: Any, expected: PathType) -> str:
    if expected.types == {"array"}:
        return "write `contains`, or `[*]` after the name for its elements"
    if "string" in expected.types and isinstance(example, bool | int | float):
        return f'write it in quotes: `"{show(example)}"`'
    if isinstance(example, str) and expected.types & {"integer", "number"}:
        return "write the number without quotes"
    return f"write {describe(expected.types)}"


def _shown(example: Any) -> str:
    return f"`{json.dumps(example, ensure_ascii=False)}`"


def _examples(value: ir.Value, env: Env) -> list[Any]:
    """The values that a value can be: itself, or what stands in each row."""
    match value:
        case ir.Constant():
            return [value.value]
        case ir.Filled():
            return [ir.fill(value.text, row) for row in _rows(env)]
        case ir.Many():
            return [example for each in value.values for example in _examples(each, env)]
        case ir.RowRef():
            return _row_examples(value, env)


def _row_examples(ref: ir.RowRef, env: Env) -> list[Any]:
    found: list[Any] = []
    for row in _rows(env):
        value = ir.look_up(ref, row)
        if value not in found:
            found.append(value)
    return found


def _rows(env: Env) -> list[ir.Row]:
    assert env.rows is not None
    return [
        ir.Row(key="", split="train", values=row.values, text=row.text)
        for row in env.rows.file.rows
    ]
