"""Whether any call can meet the constraints of a pattern. No rule: rules share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cm2dsl import checks, ir

COMPARE: Mapping[str, Callable[[Sequence[Any], Any], bool]] = {
    "!=": checks.ne,
    "<": checks.lt,
    "<=": checks.le,
    ">": checks.gt,
    ">=": checks.ge,
    "in": checks.one_of,
    "contains": checks.contains,
    "~": checks.matches,
}


def meets_none(call: ir.Called) -> bool:
    """Whether no call can meet the constraints: one argument, and two values that it must have.

    Only constants are looked at, and only where a path leads to one value.
    """
    by_path: dict[ir.Path, list[ir.Constraint]] = {}
    for part in call.where:
        if None not in part.path:
            by_path.setdefault(part.path, []).append(part)
    absent = {path for path, parts in by_path.items() if any(map(_wants_nothing, parts))}
    return any(
        (_beyond(path, absent) and any(not part.negated for part in parts)) or _exclude(parts)
        for path, parts in by_path.items()
    )


def _wants_nothing(part: ir.Constraint) -> bool:
    return part.op == "exists" and part.negated


def _beyond(path: ir.Path, absent: set[ir.Path]) -> bool:
    """Whether a path, or one that leads to it, is said to lead nowhere."""
    return any(path[:length] in absent for length in range(1, len(path) + 1))


def _exclude(parts: Sequence[ir.Constraint]) -> bool:
    """Whether no value meets all that is wanted of one path."""
    for part in parts:
        candidates = _candidates(part)
        if candidates is not None:
            return not any(all(_meets(one, other) for other in parts) for one in candidates)
        if not part.negated and any(_opposite(part, other) for other in parts):
            return True
    return _out_of_order(parts)


def _candidates(part: ir.Constraint) -> list[Any] | None:
    """The values of which one must stand there; None where they are too many, or not known."""
    if part.negated or part.tolerance is not None:
        return None
    if part.op == "==" and isinstance(part.value, ir.Constant):
        return [part.value.value]
    if part.op != "in" or not isinstance(part.value, ir.Many):
        return None
    values = part.value.values
    constants = [one.value for one in values if isinstance(one, ir.Constant)]
    return constants if len(constants) == len(values) else None


def _meets(value: Any, part: ir.Constraint) -> bool:
    """Whether a value may meet a constraint; what depends on the row may be met."""
    if part.op == "exists":
        return not part.negated
    other = _constant(part)
    if other is None:
        return True
    if part.op == "==":
        met = checks.eq([value], other[0], part.tolerance or 0.0)
    else:
        met = COMPARE[part.op]([value], other[0])
    return met != part.negated


def _constant(part: ir.Constraint) -> tuple[Any] | None:
    """What a constraint compares with, where it is the same in every row."""
    if isinstance(part.value, ir.Constant):
        value: Any = part.value.value
    elif isinstance(part.value, ir.Many):
        values = part.value.values
        if not all(isinstance(one, ir.Constant) for one in values):
            return None
        value = [one.value for one in values if isinstance(one, ir.Constant)]
    else:
        return None
    return (value,)


def _opposite(part: ir.Constraint, other: ir.Constraint) -> bool:
    """Whether the second constraint is the first one, negated."""
    return (
        other.negated
        and (other.op, other.tolerance) == (part.op, part.tolerance)
        and other.value == part.value
    )


def _out_of_order(parts: Sequence[ir.Constraint]) -> bool:
    """Whether a value would have to be more than one bound and less than a lower one."""
    lows, highs = _bounds(parts, ">", ">="), _bounds(parts, "<", "<=")
    return any(
        not checks.ordered(low, high) or low > high or (low == high and (above or below))
        for low, above in lows
        for high, below in highs
    )


def _bounds(parts: Sequence[ir.Constraint], beyond: str, up_to: str) -> list[tuple[Any, bool]]:
    """The values that parts set as bounds, and whether the bound itself is out of them."""
    return [
        (part.value.value, part.op == beyond)
        for part in parts
        if part.op in (beyond, up_to) and not part.negated and isinstance(part.value, ir.Constant)
    ]
