"""BFCL's call strings.

A call is written as in Python, `mv('a.txt', destination='old')`. It is parsed with Python's own
parser, its arguments must be literals, and nothing is ever evaluated.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cm2.formats.source import COMPARED, too_deep
from cm2dsl.names import name_of

SHOWN = 100
"""Characters of a call that a message shows."""


def task_name(entry: str) -> str:
    """The task that an entry's id names, in specs and in dialogues."""
    return name_of(entry, otherwise="task")


class CallError(ValueError):
    """A call that cannot be read. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it was written; the arguments are JSON values."""

    function: str
    positional: tuple[Any, ...]
    named: Mapping[str, Any]


def parse_call(text: str) -> WrittenCall:
    """The one call of a text. Raises CallError."""
    body = _expression(text)
    if not isinstance(body, ast.Call):
        raise CallError(f"`{_short(text)}` is no call", "write `function(name='value')`")
    return read_call(body)


def call_nodes(text: str) -> list[ast.Call]:
    """The calls of a text like `[f(x=1), g()]`, one or several. Raises CallError."""
    body = _expression(text)
    nodes = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if not calls or len(calls) < len(nodes):
        raise CallError(f"`{_short(text)}` is no list of calls", "write `[f(x=1), g()]`")
    return calls


def _expression(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of `\d` is no concern of ours
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        help = "write `function(name='value')`, as in Python"
        raise CallError(f"`{_short(text)}` cannot be read as a call", help) from None


def read_call(node: ast.Call) -> WrittenCall:
    """A call whose arguments are all literals. Raises CallError."""
    if any(isinstance(each, ast.Starred) for each in node.args):
        raise CallError("an argument is unpacked with `*`", "write every argument out")
    named: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise CallError("arguments are unpacked with `**`", "write every argument out")
        named[keyword.arg] = _literal(keyword.value)
    positional = tuple(_literal(each) for each in node.args)
    return WrittenCall(function_name(node), positional, named)


def function_name(node: ast.Call) -> str:
    """The dotted name that is called. Raises CallError."""
    if isinstance(node.func, ast.Name | ast.Attribute):
        return source_of(node.func)
    raise CallError(f"`{_short(source_of(node.func))}` is no name", "call a function by its name")


def source_of(node: ast.AST) -> str:
    """The text of a node, in Python's own spelling."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "…"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _literal(node: ast.expr) -> Any:
    help = "write a string, a number, True, False, None, a list or a dictionary"
    try:
        value = _json(ast.literal_eval(node))
        if too_deep(value, COMPARED):
            raise ValueError("nested too deeply")
        return value
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        raise CallError(
            f"the argument `{_short(source_of(node))}` is no JSON value", help
        ) from None


def _json(value: Any) -> Any:
    """A literal as JSON: tuples are lists. Raises ValueError."""
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is no string")
        return {_json(key): _json(each) for key, each in value.items()}
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text, and the error is a ValueError
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not finite")
    if isinstance(value, int):
        float(value)  # what no double can hold is refused: OverflowError
    if value is None or isinstance(value, bool | int | float):
        return value
    raise ValueError("no JSON value")
