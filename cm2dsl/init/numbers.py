"""A number that a JSON Schema takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cm2dsl.schemas import json_type

LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
PLAIN = (2, 1, 0, 3, 5, 10, 100)
"""Numbers that are tried first: two is more telling than one, and both than nought."""
FAR = 1e15
"""Whole numbers beyond this are not told apart by floats."""


def takes_number(schema: Mapping[str, Any], value: float) -> bool:
    """Whether the limits of a schema take a number. A limit that is no number takes none."""
    limits = {key: schema[key] for key in LIMITS if key in schema}
    if any(json_type(limit) not in ("integer", "number") for limit in limits.values()):
        return False  # the older draft's `exclusiveMinimum: true`, or a slip
    step = limits.get("multipleOf")
    return (
        limits.get("minimum", -math.inf) <= value <= limits.get("maximum", math.inf)
        and limits.get("exclusiveMinimum", -math.inf) < value
        and value < limits.get("exclusiveMaximum", math.inf)
        and (step is None or (step > 0 and value % step == 0))
    )


def number_for(schema: Mapping[str, Any], whole: bool) -> int | float | None:
    """A number that a schema takes, a whole one if it must be; None where none is found."""
    given = [schema[key] for key in LIMITS if json_type(schema.get(key)) in ("integer", "number")]
    tried: list[int | float] = list(PLAIN)
    for limit in given:
        if abs(limit) < FAR:
            tried += [math.floor(limit) + 1, math.ceil(limit) - 1]
        tried += [limit]
    step: Any = schema.get("multipleOf")
    lowest: Any = schema.get("minimum", schema.get("exclusiveMinimum"))
    if step in given and lowest in given and step > 0 and abs(lowest) < FAR:
        tried += [(math.floor(lowest / step) + more) * step for more in (0, 1, 2)]
    if len(given) > 1 and not whole:
        tried.append((min(given) + max(given)) / 2)
    for value in tried:
        if (not whole or float(value).is_integer()) and takes_number(schema, value):
            return int(value) if float(value).is_integer() else value
    return None
