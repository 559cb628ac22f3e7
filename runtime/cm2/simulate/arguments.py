"""Arguments of a call: one form for equal ones, and the schema that they must meet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from cm2.simulate.backend import SimulationError
from cm2dsl import ir

EXACT = 2.0**53  # below it, a double that is an integer is that integer
SHOWN = 200  # characters of a complaint: it goes into the agent's context


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

    Raises SimulationError where they are no JSON Schema. References are resolved within the schema
    alone; nothing is fetched.
    """

    def __init__(self, tool: ir.Tool) -> None:
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
        self._validator = Draft202012Validator(tool.parameters, registry=Registry())

    def complaint(self, arguments: Mapping[str, Any]) -> str | None:
        """What is wrong with the arguments, or None. Of several faults, the first by place."""
        found = sorted(self._validator.iter_errors(arguments), key=_order)
        if not found:
            return None
        where = found[0].json_path.removeprefix("$").removeprefix(".")
        text = f"{where}: {found[0].message}" if where else found[0].message
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _references(schema: Any) -> Iterator[str]:
    """Every `$ref` in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _order(error: ValidationError) -> tuple[str, str]:
    return error.json_path, error.message
