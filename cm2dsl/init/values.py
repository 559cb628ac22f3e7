"""A value that a JSON Schema takes, as telling as the schema allows; None where none can be made.

A keyword that is not known here makes a value impossible: nothing is written that the schema might
refuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cm2dsl.init.numbers import number_for, takes_number
from cm2dsl.init.texts import takes_text, text_of
from cm2dsl.init.usual import usual
from cm2dsl.schemas import JSON_TYPES, json_type

DEEPEST = 6

KNOWN = (
    "$ref type enum const default example examples title description format pattern minLength "
    "maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf items minItems "
    "maxItems uniqueItems properties required additionalProperties anyOf oneOf allOf nullable "
    "$schema $defs definitions $id $comment readOnly writeOnly deprecated contentEncoding "
    "contentMediaType"
)
DIALECT = {
    "dict": "object",
    "float": "number",
    "double": "number",
    "int": "integer",
    "bool": "boolean",
    "str": "string",
    "list": "array",
    "tuple": "array",
}
"""Names of types that are no JSON Schema, and stand in tools files all the same."""

CHOICES = ("anyOf", "oneOf", "allOf")


class Impossible(Exception):  # noqa: N818 - it ends an attempt, and is no error
    """No value that certainly meets the schema."""


def arguments_for(schema: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any] | None:
    """Arguments of these names that a tool's schema takes, in this order; None where none can be.

    `names` must hold all that the schema requires.
    """
    rest = {key: value for key, value in schema.items() if key not in ("properties", "required")}
    properties = schema.get("properties")
    try:
        if rest.get("type", "object") not in ("object", "dict") or set(rest) & {
            *CHOICES,
            "$ref",
            "enum",
            "const",
        }:
            raise Impossible
        _only_known(schema)
        maker = _Maker(schema)
        if not isinstance(properties, dict):
            raise Impossible
        return {name: maker.value(properties[name], name, 0) for name in names}
    except (Impossible, KeyError, RecursionError):
        return None


def _only_known(schema: Mapping[str, Any]) -> None:
    if any(key not in KNOWN.split() and not key.startswith("x-") for key in schema):
        raise Impossible


class _Maker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.used: set[str] = set()

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """A value of a schema; `name` is what it is called. Raises Impossible."""
        if depth > DEEPEST or schema is False:
            raise Impossible
        if schema is True:
            return self.noted(usual(name)[0])
        if not isinstance(schema, dict):
            raise Impossible
        _only_known(schema)
        if "$ref" in schema:
            self.alone(schema, "$ref")
            return self.value(self.target(schema["$ref"]), name, depth + 1)
        for key in CHOICES:
            if key in schema:
                return self.option(schema, key, name, depth)
        given = [one for one in self.given(schema) if self.takes(schema, one)]
        if given:
            # The first is what a policy guesses. Two arguments of one kind are seldom the same.
            given = [*given[1:], given[0]]
            return self.noted(next((one for one in given if one not in self.used), given[0]))
        if "enum" in schema or "const" in schema:
            raise Impossible
        try:
            return self.noted(self.made(schema, name, depth))
        except Impossible:  # what every call has that says nothing of it
            if "default" in schema and self.takes(schema, schema["default"]):
                return schema["default"]
            raise

    def noted(self, value: Any) -> Any:
        if isinstance(value, str):
            self.used.add(value)
        return value

    def alone(self, schema: Mapping[str, Any], key: str) -> None:
        """What stands beside a reference or a choice must say nothing of the value."""
        about = {"title", "description", "default", "examples", "example", "nullable", "deprecated"}
        if set(schema) - about - {key, "$defs", "definitions"}:
            raise Impossible

    def option(self, schema: Mapping[str, Any], key: str, name: str, depth: int) -> Any:
        self.alone(schema, key)
        options = schema[key]
        if not isinstance(options, list) or (key != "anyOf" and len(options) != 1):
            options = self.apart(options) if key == "oneOf" else None
        if not options:
            raise Impossible
        for option in sorted(options, key=lambda one: one == {"type": "null"}):
            try:
                return self.value(option, name, depth + 1)
            except Impossible:
                continue
        raise Impossible

    def apart(self, options: Any) -> list[Any] | None:
        """The options of a `oneOf`, if their types set them apart: then one is met by one alone."""
        if not isinstance(options, list) or not all(isinstance(one, dict) for one in options):
            return None
        types = [one.get("type") for one in options]
        plain = all(isinstance(one, str) for one in types)
        numbers = {"integer", "number"} <= set(types) if plain else True
        return options if plain and len(set(types)) == len(types) and not numbers else None

    def target(self, ref: Any) -> Any:
        if not isinstance(ref, str) or not ref.startswith("#/"):
            raise Impossible
        node: Any = self.root
        for key in ref[2:].split("/"):
            if not isinstance(node, dict) or key not in node:
                raise Impossible
            node = node[key]
        return node

    def given(self, schema: Mapping[str, Any]) -> list[Any]:
        """The values that a schema itself names, the best first."""
        if "const" in schema:
            return [schema["const"]]
        if "enum" in schema:
            found = schema["enum"]
            return [one for one in found if one is not None] if isinstance(found, list) else []
        named = schema.get("examples")
        named = named if isinstance(named, list) else []
        return [*named, *([schema["example"]] if "example" in schema else [])]

    def takes(self, schema: Mapping[str, Any], value: Any) -> bool:
        """Whether a schema takes a scalar; of lists and objects nothing is known here."""
        if isinstance(value, dict | list) or value is None or value == "":
            return False
        kinds = {json_type(value)}
        if kinds & {"integer", "number"} and float(value).is_integer():
            kinds = {"integer", "number"}
        if not kinds & set(self.types(schema) or JSON_TYPES):
            return False
        for key in ("enum", "const"):
            if key in schema:
                allowed = schema[key] if key == "enum" else [schema[key]]
                if not any(json_type(one) == json_type(value) and one == value for one in allowed):
                    return False
        if isinstance(value, str):
            return takes_text(schema, value)
        return isinstance(value, bool) or takes_number(schema, value)

    def types(self, schema: Mapping[str, Any]) -> list[str]:
        written = schema.get("type")
        if written is None:
            return []
        found = [written] if isinstance(written, str) else written
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise Impossible
        found = [DIALECT.get(one, one) for one in found]
        if not set(found) <= JSON_TYPES:
            raise Impossible
        return found

    def made(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        kinds = self.types(schema)
        if not kinds and ("properties" in schema or "required" in schema):
            kinds = ["object"]
        if not kinds and "items" in schema:
            kinds = ["array"]
        kind = next((one for one in kinds if one != "null"), kinds[0] if kinds else "string")
        match kind:
            case "string":
                return _found(text_of(schema, name, self.used))
            case "integer" | "number":
                return _found(number_for(schema, kind == "integer"))
            case "boolean":
                return True
            case "array":
                return self.array(schema, name, depth)
            case "object":
                return self.object(schema, depth)
        return None

    def array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        items = schema.get("items", True)
        if not isinstance(least, int) or not isinstance(most, int | None) or least > 5:
            raise Impossible
        if most is not None and most < max(least, 1):
            if least == 0 and most == 0:
                return []
            raise Impossible
        first = self.value(items, _singular(name), depth + 1)
        if least > 1 and schema.get("uniqueItems"):
            raise Impossible
        return [first] * max(least, 1)

    def object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise Impossible
        more = schema.get("additionalProperties", True)
        made: dict[str, Any] = {}
        for key in required:
            if key not in properties and more is not True:
                raise Impossible
            made[str(key)] = self.value(properties.get(key, True), str(key), depth + 1)
        return made


def _found(value: Any) -> Any:
    if value is None:
        raise Impossible
    return value


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
