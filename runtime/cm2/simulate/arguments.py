"""Arguments of a call: one form for equal ones, and the schema that they must meet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from cm2.simulate.backend import SimulationError
from cm2.simulate.complaints import Complaint, complaint_of
from cm2.simulate.spelling import filled, spelled
from cm2dsl import ir
from cm2dsl.aliases import ALIASES, alias_faults

_PLAIN = {"$defs", "$schema", "additionalProperties", "definitions", "description", "properties"}
_PLAIN |= {"required", "title", "type"}
"""Keys of a schema by which an argument more that meets its own schema breaks nothing."""

EXACT = 2.0**53  # below it, a double that is an integer is that integer


def normalise(value: Any) -> Any:
    """The value with one form for each number: 120.0 is 120. Keys and items keep their order."""
    if isinstance(value, Mapping):
        return {name: normalise(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [normalise(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value


def canonical(arguments: Mapping[str, Any]) -> str:
    """The same text for the same arguments, however their keys are ordered and numbers written.

    Raises ValueError for NaN, infinities and half surrogate pairs, RecursionError for what is
    nested too deeply.
    """
    text = json.dumps(
        normalise(arguments),
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    text.encode("utf-8")
    return text


class Schema:
    """A tool's parameters, ready to check calls with.

    Raises SimulationError where they are no JSON Schema, or an `x-aliases` in them is wrong.
    References are resolved within the schema alone; nothing is fetched.
    """

    def __init__(self, tool: ir.Tool) -> None:
        self._parameters = tool.parameters
        resource = DRAFT202012.create_resource(tool.parameters)
        resolver = Registry().with_resource("", resource).resolver()
        try:
            Draft202012Validator.check_schema(tool.parameters)
            for reference in _references(tool.parameters):
                resolver.lookup(reference)
        except SchemaError as error:
            raise SimulationError(
                f"the parameters of tool `{tool.name}` are no JSON Schema: {error.message}"
            ) from error
        except Unresolvable as error:
            raise SimulationError(
                f"the parameters of tool `{tool.name}` refer to `{error.ref}`, which is not in them"
            ) from error
        for fault in alias_faults(tool.parameters):
            raise SimulationError(f"in tool `{tool.name}`, {fault.message}; {fault.help}")
        self._validator = Draft202012Validator(tool.parameters, registry=Registry())
        self._respells = _has(tool.parameters, ALIASES)
        self._fills = _has(tool.parameters, "default")

    def complaint(self, arguments: Mapping[str, Any]) -> Complaint | None:
        """What is wrong with the arguments, or None. Of several faults, the first by place."""
        found = list(self._validator.iter_errors(self._spelled(arguments)))
        return complaint_of(found) if found else None

    @property
    def always(self) -> list[str]:
        """The arguments that every call has for a backend: required ones, and those of which the
        default is certain to be filled in."""
        names = list(self._parameters.get("required", []))
        if self._fills and {key for key in self._parameters if key[:2] != "x-"} <= _PLAIN:
            given = filled({}, self._parameters, self._parameters, self._validator)
            names += [name for name in given if name not in names]
        return names

    def meant(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The canonical arguments: of other spellings the value that they stand for, what is left
        out and has a default with it, numbers in one form."""
        found = self._spelled(arguments)
        if self._fills:
            whole = filled(found, self._parameters, self._parameters, self._validator)
            if self._validator.is_valid(whole):
                found = self._spelled(whole)
        meant: dict[str, Any] = normalise(found)
        return meant

    def _spelled(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._respells:
            return arguments
        found: Mapping[str, Any] = spelled(arguments, self._parameters, self._parameters)
        return found


def _has(schema: Any, word: str) -> bool:
    """Whether the word is a key anywhere in a schema."""
    if isinstance(schema, dict):
        return word in schema or any(_has(part, word) for part in schema.values())
    return isinstance(schema, list) and any(_has(part, word) for part in schema)


def _references(schema: Any) -> Iterator[str]:
    """Every `$ref` in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)
