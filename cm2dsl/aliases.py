"""`x-aliases` in tool schemas: other spellings of a text argument, and what is wrong with them.

On a property, at any depth: `"x-aliases": {"PEK": ["Beijing", "北京"]}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from cm2dsl.fields import shown

ALIASES = "x-aliases"
FORM = 'write the other spellings by the value they stand for: {"PEK": ["Beijing", "北京"]}'

_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_ONE = ("items", "additionalProperties", "contains", "not", "if", "then", "else")


class AliasFault(Struct, frozen=True):
    """What is wrong with an `x-aliases`, and what to do. `message` names the argument."""

    message: str
    help: str


def alias_faults(parameters: Mapping[str, Any]) -> Iterator[AliasFault]:
    """The faults of every `x-aliases` in a tool's parameters, in their order."""
    yield from _faults_in(parameters, "")


def _faults_in(schema: Any, path: str) -> Iterator[AliasFault]:
    if not isinstance(schema, Mapping):
        return
    if ALIASES in schema:
        yield from _faults_of(schema[ALIASES], schema, path)
    for word in _MAPS:
        inner = schema.get(word)
        for name, each in inner.items() if isinstance(inner, Mapping) else ():
            stem = path if word == "properties" else f"{path}.{word}" if path else word
            yield from _faults_in(each, f"{stem}.{name}" if stem else name)
    for word in _LISTS:
        inner = schema.get(word)
        for each in inner if isinstance(inner, list) else ():
            yield from _faults_in(each, f"{path}[*]" if word == "prefixItems" else path)
    for word in _ONE:
        yield from _faults_in(schema.get(word), f"{path}[*]" if word == "items" else path)


def _faults_of(aliases: Any, schema: Mapping[str, Any], path: str) -> Iterator[AliasFault]:
    where = f"`{ALIASES}` of `{path}`" if path else f"`{ALIASES}`"
    if not isinstance(aliases, Mapping) or not aliases:
        yield AliasFault(f"{where} is {shown(aliases)}", FORM)
        return
    kinds = schema.get("type", "string")
    if "string" not in (kinds if isinstance(kinds, list) else [kinds]):
        yield AliasFault(
            f"{where} is for text, and the type is {shown(kinds)}",
            "only strings have other spellings; leave it out",
        )
        return
    choices = schema.get("enum")
    meant: dict[str, str] = {}
    for value, others in aliases.items():
        if isinstance(choices, list) and value not in choices:
            known = ", ".join(f"`{each}`" for each in choices[:8])
            yield AliasFault(
                f"{where} gives spellings of `{value}`, which the `enum` does not have",
                f"it has {known}",
            )
        if not isinstance(others, list) or not all(isinstance(each, str) for each in others):
            yield AliasFault(f"{where} gives `{value}` the spellings {shown(others)}", FORM)
            continue
        for other in others:
            if other in aliases and other != value:
                yield AliasFault(
                    f"{where} has `{other}` as a spelling of `{value}` and as a value of its own",
                    "a text stands for one value; keep it in one place",
                )
            elif meant.setdefault(other, value) != value:
                yield AliasFault(
                    f"{where} has `{other}` as a spelling of both `{meant[other]}` and `{value}`",
                    "a text stands for one value; keep it in one place",
                )
