"""What a model wrote as text: calls, in one of the ways that BFCL's handlers read, or words.

[cd(folder='a'), ls()]                                     prompted models, brackets or not
<tool_call>{"name": "cd", "arguments": {…}}</tool_call>    models with a chat template of tools
{"name": "cd", "parameters": {…}}                          the same without tags, or a list
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from cm2.formats.bfcl_calls import CallError, call_nodes, read_call, source_of
from cm2.trajectory import Call, Step
from cm2dsl.chat import arguments
from cm2dsl.jsonl import JsonError, parse

TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
MEANT_AS_CALLS = re.compile(r"\[\s*[^\W\d][\w.]*\(")


def read_step(text: str, stem: str) -> Step:
    """The step that a text is. Calls get the ids `{stem}c0`, `{stem}c1` and so on.

    What begins like calls and cannot be read as such is `malformed`; an empty list is no reply.
    """
    if "<tool_call>" in text:
        pieces = TAGGED.findall(text)
        calls = [call for piece in pieces for call in _json_calls(piece) or ()]
        if len(calls) < len(pieces):
            return Step(malformed=text)
        return Step(TAGGED.sub("", text).strip(), calls=_numbered(calls, stem))
    if (listed := _json_calls(text)) is not None:
        return Step(calls=_numbered(listed, stem))
    inner = text.strip("`\n ").removeprefix("python\n").strip()
    if inner in ("", "[]"):
        return Step()
    try:
        nodes = call_nodes(inner if inner.startswith("[") else f"[{inner}]")
    except CallError:
        return Step(malformed=text) if MEANT_AS_CALLS.match(inner) else Step(reply=text)
    return Step(calls=_numbered(list(_python_calls(nodes)), stem))


def _numbered(calls: Sequence[tuple[str, Any, str]], stem: str) -> tuple[Call, ...]:
    return tuple(Call(f"{stem}c{number}", *call) for number, call in enumerate(calls))


def _json_calls(text: str) -> list[tuple[str, Any, str]] | None:
    """(tool, arguments, raw) of the calls of a JSON text; None where it is not all calls."""
    try:
        value = parse(text.strip())
    except JsonError:
        return None
    calls = [_json_call(each) for each in (value if isinstance(value, list) else [value])]
    return [call for call in calls if call is not None] if calls and None not in calls else None


def _json_call(value: Any) -> tuple[str, Any, str] | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    given = value.get("arguments", value.get("parameters", {}))
    if isinstance(given, str):
        return value["name"], arguments(given), given
    raw = json.dumps(given, ensure_ascii=False)
    return value["name"], given if isinstance(given, dict) else None, raw


def _python_calls(nodes: Sequence[ast.Call]) -> Iterator[tuple[str, Any, str]]:
    """(tool, arguments, raw) of calls as in Python.

    BFCL runs a call without its positional arguments, so a call that has some has no arguments
    that count; nor has one with an argument that is no literal.
    """
    for node in nodes:
        written = ", ".join(source_of(each) for each in (*node.args, *node.keywords))
        try:
            call = read_call(node)
        except CallError:
            yield source_of(node.func), None, written
            continue
        if call.positional:
            yield call.function, None, written
        else:
            named = dict(call.named)
            yield call.function, named, json.dumps(named, ensure_ascii=False)
