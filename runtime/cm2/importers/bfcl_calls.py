"""BFCL's call strings and function documents.

A call is written as in Python, `mv('a.txt', destination='old')`. It is parsed with Python's own
parser, its arguments must be literals, and nothing is ever evaluated.
"""

from __future__ import annotations

import ast
import json
import math
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cm2.importers.bfcl_effects import effect_of
from cm2.importers.source import COMPARED, Found, read_lines, too_deep
from cm2.importers.syntax import name_of

TYPES = {
    "dict": "object",
    "float": "number",
    "tuple": "array",
    "list": "array",
    "bool": "boolean",
    **{
        name: name for name in ("string", "integer", "number", "boolean", "array", "object", "null")
    },
}
"""The documents' type names as JSON Schema's; `any` is no type at all."""


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


# --- call strings -----------------------------------------------------------------------------


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


# --- function documents -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a backend. `parameters` is a JSON Schema; `effect` is None if it is unknown.

    `defaults` are the values that optional parameters have where they are left out.
    """

    name: str
    owner: str
    description: str
    parameters: dict[str, Any]
    effect: str | None
    defaults: Mapping[str, Any]

    @property
    def writes(self) -> bool:
        return self.effect != "read"

    def tool(self, opened: Collection[str] = ()) -> dict[str, Any]:
        """The OpenAI function schema, with its effect; `opened` parameters may hold anything."""
        properties = dict(self.parameters["properties"])
        for key in opened:
            kept = properties.get(key, {}).get("description")
            properties[key] = {} if kept is None else {"description": kept}
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": {**self.parameters, "properties": properties},
            "x-effect": "write" if self.writes else "read",
        }
        return {"type": "function", "function": function}


def read_functions(path: Path, owner: str) -> list[Function]:
    """The functions that a file documents, one a line. Raises SourceFault, OSError."""
    functions: list[Function] = []
    for found in read_lines(path):
        name = found["name"].filled()
        description = found.get("description")
        parameters = _schema(found["parameters"])
        if parameters.get("type") != "object":
            raise found["parameters"].wrong('a schema with `"type": "dict"`')
        for key, nothing in (("properties", {}), ("required", [])):
            if parameters.get(key) is None:
                parameters[key] = nothing
        known, required = parameters["properties"], parameters["required"]
        for each in (found["parameters"].get("required") or Found([], "")).items():
            if each.text() not in known:
                raise each.fault(f"`{each.text()}` is no parameter", "name one of the properties")
        functions.append(
            Function(
                name=name,
                owner=owner,
                description=description.text() if description else "",
                parameters=parameters,
                effect=effect_of(owner, name),
                defaults={
                    key: schema["default"]
                    for key, schema in known.items()
                    if "default" in schema
                    and key not in required
                    and _fits(schema["default"], schema)
                },
            )
        )
    return functions


def _schema(found: Found) -> dict[str, Any]:
    """A document's schema as JSON Schema.

    A default of `"None"` is Python's None, which no call can write: there, the parameter has none.
    """
    schema = dict(found.object())
    if (kind := found.get("type")) is not None:
        if kind.text() == "any":
            del schema["type"]
        elif kind.text() in TYPES:
            schema["type"] = TYPES[kind.text()]
        else:
            raise kind.wrong(f"one of any, {', '.join(sorted(TYPES))}")
    if schema.get("default") == "None":
        del schema["default"]
    if (properties := found.get("properties")) is not None:
        schema["properties"] = {key: _schema(each) for key, each in properties.members()}
    if (items := found.get("items")) is not None:
        schema["items"] = _schema(items)
    return schema


def arguments_of(call: WrittenCall, function: Function) -> dict[str, Any]:
    """The arguments by name, in the document's order. Raises CallError."""
    name = function.name
    order = list(function.parameters["properties"])
    if len(call.positional) > len(order):
        message = f"`{name}` is called with {len(call.positional)} arguments"
        raise CallError(message, f"its document has {len(order)} parameters")
    given = dict(zip(order, call.positional, strict=False))
    for key, value in call.named.items():
        if key in given:
            raise CallError(f"`{name}` is given `{key}` twice", "keep one of the two")
        given[key] = value
    return {key: given[key] for key in [*order, *given] if key in given}


def misfits(arguments: Mapping[str, Any], function: Function) -> Iterator[tuple[str, str]]:
    """(parameter, what is wrong) where arguments are not what the function's document says."""
    properties: dict[str, dict[str, Any]] = function.parameters["properties"]
    for key, value in arguments.items():
        if key not in properties:
            yield key, f"gives `{function.name}` the argument `{key}`, which its document lacks"
        elif not _fits(value, properties[key]):
            wanted = properties[key].get("enum") or properties[key].get("type")
            text = json.dumps(value, ensure_ascii=False)
            yield key, f"gives `{function.name}` {text} as `{key}`; its document wants {wanted}"


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value is of the schema's type, inside lists and objects too."""
    if "enum" in schema and value not in schema["enum"]:
        return False
    match schema.get("type"):
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            items = schema.get("items", {})
            return isinstance(value, list) and all(_fits(each, items) for each in value)
        case "object":
            parts = schema.get("properties")
            return isinstance(value, dict) and (
                parts is None
                or all(key in parts and _fits(each, parts[key]) for key, each in value.items())
            )
        case "null":
            return value is None
        case _:
            return True
