"""Whether the tools of a server are those of a spec, near enough that calls get through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cm2dsl import ir


def misfits(tool: ir.Tool, server: Mapping[str, Any]) -> Iterator[str]:
    """Why a call that meets the spec's schema of a tool may be none for the server's `server`.

    Compared are required arguments, arguments that the server does not know, and types and choices
    that have nothing in common. What else a schema may say shows when a call is made.
    """
    ours = tool.parameters
    known, given = server.get("properties", {}), ours.get("properties", {})
    for name in server.get("required", []):
        if name not in given:
            yield f"`{name}` is required, and the spec does not have it"
        elif name not in ours.get("required", []) and "default" not in given[name]:
            yield f"`{name}` is required, and the spec lets it be left out"
    for name, schema in given.items():
        if name in known:
            yield from _apart(name, schema, known[name])
        elif server.get("additionalProperties", True) is False:
            yield f"`{name}` is an argument that it does not have"


def _apart(name: str, ours: Any, theirs: Any) -> Iterator[str]:
    if not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        return
    mine, other = _types(ours), _types(theirs)
    if mine and other and not mine & other:
        yield f"`{name}` is {_list(other)}, and {_list(mine)} in the spec"
        return
    choices, allowed = ours.get("enum"), theirs.get("enum")
    if isinstance(choices, list) and isinstance(allowed, list):
        unknown = [one for one in choices if one not in allowed]
        if unknown:
            yield f"`{name}` cannot be {_list(json.dumps(one) for one in unknown)}"


def _types(schema: Mapping[str, Any]) -> set[str]:
    said = schema.get("type", [])
    types = {said} if isinstance(said, str) else set(said)
    return types | {"integer"} if "number" in types else types


def _list(names: Any) -> str:
    return " or ".join(sorted(str(name) for name in names))
