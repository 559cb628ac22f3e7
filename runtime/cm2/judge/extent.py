"""How long an answer on a form can be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cm2.judge.pattern import width

_NUMBER = 24
"""Letters of a number of which the schema allows fractions."""

_LENGTHS = {"number": _NUMBER, "boolean": 5, "null": 4}

_NAME = 24
"""Letters of a key, where the schema does not give the keys."""


def longest(schema: Mapping[str, Any]) -> int:
    """Letters of the longest text on a schema that `form` wrote."""
    if "anyOf" in schema:
        return max(longest(option) for option in schema["anyOf"])
    if "enum" in schema:
        return max(len(json.dumps(value, ensure_ascii=False)) for value in schema["enum"])
    kind: str = schema["type"]
    if kind == "string":
        return 2 + width(schema["pattern"])
    if kind == "array":
        parts = [longest(part) for part in schema.get("prefixItems", ())]
        more: int = schema["maxItems"] - len(parts)
        rest = more * (longest(schema["items"]) + 2) if more else 0
        return 2 + sum(part + 2 for part in parts) + rest
    if kind == "object":
        length = 2
        for key, part in schema.get("properties", {}).items():
            length += len(json.dumps(key, ensure_ascii=False)) + longest(part) + 4
        if isinstance(others := schema["additionalProperties"], Mapping):
            length += schema["maxProperties"] * (_NAME + longest(others) + 6)
        return length
    if kind == "integer":
        return max(len(str(schema["minimum"])), len(str(schema["maximum"])))
    return _LENGTHS[kind]
