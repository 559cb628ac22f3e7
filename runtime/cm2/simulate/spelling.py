"""What arguments mean where a schema declares other spellings, and defaults for what is left out.

`x-aliases` on a property lists other spellings by the value that they stand for, `{"PEK":
["Beijing", "北京"]}`. `default` is what a tool takes where the argument is left out. Both apply at
any depth of objects and lists, and through references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cm2dsl.aliases import ALIASES
from cm2dsl.schemas import resolve

Check = Any
"""A jsonschema validator of the whole schema."""


def spelled(value: Any, schema: Any, root: dict[str, Any]) -> Any:
    """The value with every other spelling replaced by the value that it stands for."""
    for option in _options(schema, root, ("allOf", "anyOf", "oneOf")):
        if isinstance(value, str):
            value = _meant(value, option.get(ALIASES))
        elif isinstance(value, Mapping):
            value = {
                name: spelled(inner, _property(option, name), root) for name, inner in value.items()
            }
        elif isinstance(value, list):
            value = [
                spelled(inner, _item(option, index), root) for index, inner in enumerate(value)
            ]
    return value


def filled(value: Any, schema: Any, root: dict[str, Any], check: Check) -> Any:
    """The value with the defaults of what it leaves out, where they meet their own schema.

    Alternatives (`anyOf`, `oneOf`) give none: which of them holds would be a guess.
    """
    for option in _options(schema, root, ("allOf",)):
        if isinstance(value, Mapping):
            value = _with_defaults(value, option, root, check)
        elif isinstance(value, list):
            value = [
                filled(inner, _item(option, index), root, check)
                for index, inner in enumerate(value)
            ]
    return value


def _with_defaults(
    value: Mapping[str, Any], schema: Mapping[str, Any], root: dict[str, Any], check: Check
) -> dict[str, Any]:
    found = {
        name: filled(inner, _property(schema, name), root, check) for name, inner in value.items()
    }
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        if name in found:
            continue
        for option in _options(inner, root, ("allOf",)):
            if "default" in option and not any(check.descend(option["default"], inner)):
                found[name] = option["default"]
                break
    return found


def _meant(value: str, aliases: Any) -> str:
    for meant, others in aliases.items() if isinstance(aliases, Mapping) else ():
        if isinstance(others, list) and value in others:
            return str(meant)
    return value


def _options(
    schema: Any, root: dict[str, Any], words: tuple[str, ...]
) -> Iterator[Mapping[str, Any]]:
    """The schema, and those that apply at the same place: by reference, or listed under a word."""
    queue = [schema]
    followed: set[str] = set()
    while queue:
        option = queue.pop(0)
        if not isinstance(option, Mapping):
            continue
        yield option
        reference = option.get("$ref")
        if isinstance(reference, str) and reference not in followed:
            followed.add(reference)
            queue.append(root if reference == "#" else resolve(root, reference))
        for word in words:
            queue += option[word] if isinstance(option.get(word), list) else []


def _property(schema: Mapping[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return schema.get("additionalProperties")


def _item(schema: Mapping[str, Any], index: int) -> Any:
    first = schema.get("prefixItems")
    if isinstance(first, list) and index < len(first):
        return first[index]
    return schema.get("items")
