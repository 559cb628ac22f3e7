"""What is wrong with a call's arguments, in words that the one who called can act on.

`` `cabin` is "first": expected one of "economy", "business" ``: the argument, what it is, and what
it should be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

SHOWN = 200  # characters of a complaint: it goes into the agent's context
VALUE = 40  # characters of a value in it

TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

EXPECTED: Mapping[str, Callable[[Any], str]] = {
    "type": lambda kinds: _either(_types(kinds)),
    "enum": lambda choices: _one_of(choices),
    "const": lambda value: _shown(value),
    "minimum": lambda least: f"at least {_shown(least)}",
    "exclusiveMinimum": lambda bound: f"more than {_shown(bound)}",
    "maximum": lambda most: f"at most {_shown(most)}",
    "exclusiveMaximum": lambda bound: f"less than {_shown(bound)}",
    "multipleOf": lambda unit: f"a multiple of {_shown(unit)}",
    "minLength": lambda least: f"at least {_counted(least, 'character')}",
    "maxLength": lambda most: f"at most {_counted(most, 'character')}",
    "pattern": lambda pattern: f"text that matches {pattern}",
    "minItems": lambda least: f"at least {_counted(least, 'element')}",
    "maxItems": lambda most: f"at most {_counted(most, 'element')}",
    "uniqueItems": lambda _: "no element twice",
    "minProperties": lambda least: f"at least {_counted(least, 'key')}",
    "maxProperties": lambda most: f"at most {_counted(most, 'key')}",
}
"""What a value is expected to be, by the word of the schema that it breaks."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, in words, and the rule that is broken: `account: type`."""

    text: str
    rule: str


def complaint_of(errors: Iterable[ValidationError]) -> Complaint:
    """The complaint about the first of the errors, by place. There is at least one."""
    error = min(errors, key=lambda error: (error.json_path, error.message))
    place = _place(error)
    rule = f"{place}: {error.validator}" if place else str(error.validator)
    return Complaint(_cut(_text(error), SHOWN), rule)


def _text(error: ValidationError) -> str:
    rule, wanted, value = error.validator, error.validator_value, error.instance
    place = _place(error)
    if rule == "required" and isinstance(value, Mapping):
        return _missing([name for name in wanted if name not in value], error, place)
    if rule == "additionalProperties" and wanted is False:
        return _unknown(error, place)
    if rule in ("anyOf", "oneOf") and error.context:
        if not isinstance(value, Mapping | list):
            return _is(place, value, _either([_expected(option) for option in wanted]))
        inner = best_match(error.context)
        return _text(inner) if inner is not None else f"{_named(place)}: {error.message}"
    if isinstance(rule, str) and rule in EXPECTED:
        return _is(place, value, EXPECTED[rule](wanted))
    return f"{_named(place)}: {error.message}"


def _missing(names: Sequence[str], error: ValidationError, place: str) -> str:
    missing = [f"`{place}.{name}`" if place else f"`{name}`" for name in names]
    if len(missing) > 1:
        return f"{', '.join(missing)} are missing"
    properties = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    wanted = _expected(properties.get(names[0])) if isinstance(properties, Mapping) else ""
    return f"{missing[0]} is missing" + (f": expected {wanted}" if wanted else "")


def _unknown(error: ValidationError, place: str) -> str:
    properties, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties")
    unknown = [
        _cut(name, VALUE)
        for name in error.instance
        if name not in properties and not any(re.search(each, name) for each in patterns or ())
    ]
    names = ", ".join(f"`{place}.{name}`" if place else f"`{name}`" for name in unknown)
    known = ", ".join(f"`{name}`" for name in properties)
    there = f"expected only {known}" if known else "expected none"
    return f"{names} {'is' if len(unknown) == 1 else 'are'} not known: {there}"


def _is(place: str, value: Any, expected: str) -> str:
    return f"{_named(place)} is {_cut(_shown(value), VALUE)}: expected {expected}"


def _named(place: str) -> str:
    return f"`{place}`" if place else "the argument object"


def _place(error: ValidationError) -> str:
    path: str = error.json_path
    return path.removeprefix("$").removeprefix(".")


def _expected(schema: Any) -> str:
    """What a schema expects, in a few words; empty where it does not say."""
    if not isinstance(schema, Mapping):
        return ""
    word = next((word for word in ("const", "enum", "type") if word in schema), None)
    if word is not None:
        return EXPECTED[word](schema[word])
    options = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(options, list):
        return _either([_expected(option) for option in options])
    return ""


def _types(kinds: Any) -> list[str]:
    return [TYPES.get(kind, str(kind)) for kind in (kinds if isinstance(kinds, list) else [kinds])]


def _either(options: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(option for option in options if option)) or "another form"


def _one_of(choices: Sequence[Any]) -> str:
    shown = [_cut(_shown(choice), VALUE) for choice in choices]
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


def _counted(number: Any, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
