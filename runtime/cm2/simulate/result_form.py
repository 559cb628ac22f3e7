"""What a tool can answer: the schema of its results, its own or that of the recorded ones.

An answer is `{"answer": {"result": …}}` or `{"answer": {"error": "…"}}`: a tool may refuse a call,
and no server that holds answers to a schema takes a choice at its root.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry

from cm2.judge.engine import Form
from cm2.judge.form import FormError, form
from cm2.simulate.backend import SimulationError
from cm2dsl import ir
from cm2dsl.jsonl import JsonError, parse

MAX_TOKENS = 4096
"""Room for the answer to a call: lists of records are longer than verdicts."""

_ERROR = {"type": "string", "minLength": 1, "maxLength": 200}
_SHOWN = 200
_NAMES_SOMETHING = re.compile("[0-9]")


class ResultForm:
    """What one tool's answers are held to, and checked with.

    `schema` is that of a result: the tool's `outputSchema`, else what `recorded` results have in
    common, else any JSON object. Raises SimulationError where it is none.
    """

    def __init__(self, tool: ir.Tool, recorded: Sequence[str] = ()) -> None:
        self.schema: Mapping[str, Any] = (
            tool.returns if tool.returns is not None else inferred(recorded)
        )
        whole = _wrapped(self.schema)
        try:
            Draft202012Validator.check_schema(self.schema)
            self.form: Form = form(tool.name, whole, max_tokens=MAX_TOKENS)
        except SchemaError as error:
            raise SimulationError(
                f"the `outputSchema` of tool `{tool.name}` is no JSON Schema: {error.message}"
            ) from error
        except FormError as error:
            raise SimulationError(
                f"no answer can be held to the `outputSchema` of tool `{tool.name}`: {error}"
            ) from error
        self._validator = Draft202012Validator(whole, registry=Registry())

    def complaint(self, value: Any) -> str | None:
        """What of an answer is off the schema, or None."""
        error = best_match(self._validator.iter_errors(value))
        if error is None:
            return None
        where = error.json_path.removeprefix("$.answer.").removeprefix("$.")
        text = f"the answer is off the schema at `{where}`: {error.message}"
        return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def inferred(results: Sequence[str]) -> dict[str, Any]:
    """The schema of what results have in common, as texts; of any object where there are none.

    Keys that all records have must be there, those that some have may be. Keys that are names of
    things, such as `SEAT12`, are not fixed.
    """
    values = []
    for text in results:
        try:
            values.append(parse(text))
        except JsonError:
            continue
    if len(values) * 2 < len(results):
        return {"type": "string"}
    return _merged(values) if values else {"type": "object"}


def _wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an answer. References in the schema of the result are to its own root."""
    definitions = {word: schema[word] for word in ("$defs", "definitions") if word in schema}
    inner: Any = {key: value for key, value in schema.items() if key not in definitions}
    if not _refers_to_root(schema):
        return definitions | _choice(inner)
    return {"$defs": {"result": _rooted(schema)}} | _choice({"$ref": "#/$defs/result"})


def _choice(result: Mapping[str, Any]) -> dict[str, Any]:
    return _closed("answer", {"anyOf": [_closed("result", result), _closed("error", _ERROR)]})


def _closed(key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }


def _refers_to_root(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        known = ("#/$defs/", "#/definitions/")
        if isinstance(reference, str) and not reference.startswith(known):
            return True
        return any(_refers_to_root(part) for part in schema.values())
    return isinstance(schema, list) and any(_refers_to_root(part) for part in schema)


def _rooted(schema: Any) -> Any:
    """The schema with its references to its root where it now stands."""
    if isinstance(schema, list):
        return [_rooted(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    said = {key: _rooted(part) for key, part in schema.items()}
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        said["$ref"] = f"#/$defs/result{reference[1:]}"
    return said


def _merged(values: Sequence[Any]) -> dict[str, Any]:
    """The schema of several values at one place."""
    options: list[dict[str, Any]] = []
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    if objects:
        options.append(_of_objects(objects))
    if lists:
        items = [item for value in lists for item in value]
        options.append({"type": "array", "items": _merged(items) if items else {}})
    if any(isinstance(value, str) for value in values):
        options.append({"type": "string"})
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if numbers:
        whole = all(isinstance(number, int) for number in numbers)
        options.append({"type": "integer" if whole else "number"})
    if any(isinstance(value, bool) for value in values):
        options.append({"type": "boolean"})
    if any(value is None for value in values):
        options.append({"type": "null"})
    return options[0] if len(options) == 1 else {"anyOf": options}


def _of_objects(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for one in objects for key in one))
    if keys and all(_NAMES_SOMETHING.search(key) for key in keys):
        inner = [value for one in objects for value in one.values()]
        return {"type": "object", "additionalProperties": _merged(inner)}
    return {
        "type": "object",
        "properties": {key: _merged([one[key] for one in objects if key in one]) for key in keys},
        "required": [key for key in keys if all(key in one for one in objects)],
        "additionalProperties": False,
    }
