"""Tool schemas: those that a source brings, and those that are made from its calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cm2.importers.source import read_json
from cm2dsl.schemas import json_type


def read_tools(path: Path) -> list[dict[str, Any]]:
    """The tools of a JSON file, each as `{"type": "function", "function": {…}}`.

    Raises SourceFault and OSError.
    """
    whole = read_json(path)
    tools = whole["tools"] if isinstance(whole.value, dict) else whole
    found: list[dict[str, Any]] = []
    for tool in tools.items():
        body = tool.get("function") or tool
        body["name"].filled()
        function = dict(body.object())
        effect = tool.get("x-effect")
        if effect is not None:
            function.setdefault("x-effect", effect.text())
        if "parameters" not in function and "inputSchema" in function:
            function["parameters"] = function.pop("inputSchema")
        found.append({"type": "function", "function": function})
    return found


def derived(calls: Iterable[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Schemas of the tools that were called: every argument that was seen, with its types.

    An argument is required that every call of the tool has.
    """
    by_tool: dict[str, list[Mapping[str, Any]]] = {}
    for tool, arguments in calls:
        by_tool.setdefault(tool, []).append(arguments)
    return [
        {"type": "function", "function": {"name": tool, "parameters": _parameters(seen)}}
        for tool, seen in by_tool.items()
    ]


def _parameters(seen: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = dict.fromkeys(key for arguments in seen for key in arguments)
    properties = {
        key: _schema([arguments[key] for arguments in seen if key in arguments]) for key in keys
    }
    required = [key for key in keys if all(key in arguments for arguments in seen)]
    return {"type": "object", "properties": properties, "required": required}


def _schema(values: Sequence[Any]) -> dict[str, Any]:
    types = sorted({json_type(value) for value in values})
    if "integer" in types and "number" in types:
        types.remove("integer")
    return {"type": types[0] if len(types) == 1 else types}


def merged(
    tools: Sequence[dict[str, Any]], more: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The tools, with those of `more` that they lack; and the names of these."""
    known = {tool["function"]["name"] for tool in tools}
    added = [tool for tool in more if tool["function"]["name"] not in known]
    return [*tools, *added], [tool["function"]["name"] for tool in added]
