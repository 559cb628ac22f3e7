"""Any JSON Schema as one that a model can be held to, and comes to an end under.

No backend gives anything usable where the tokens end inside the JSON, and people's schemas bound
neither texts nor lists. `form` writes a schema anew in the few words that every backend takes, with
a bound on all that has none: what is on the new schema is on the old one, as far as its words are
known here, and has at most so many letters. Answers are checked against the old one too.

References are written out, circles of them as far as they fit, and `oneOf` is read as `anyOf`.
Nothing is kept of `not`, `if`, `uniqueItems`, `contains`, `dependent…`, `multipleOf` and
`unevaluated…`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cm2.judge.engine import Form
from cm2.judge.extent import longest
from cm2.judge.pattern import FORMATS, bounded

Schema = Mapping[str, Any] | bool
"""A JSON Schema: True is one that all is on."""

MAX_TOKENS = 2048

_NESTINGS = ((2, 64), (1, 64), (1, 6), (1, 3))
"""How often a reference may stand inside itself, and how many may stand inside each other: the
first at which the schema, with its references written out, does not grow beyond all measure."""

_PARTS = 4000
"""Parts of a schema that is written out, at most."""

_DEPTH = 2
"""How deep a value is of which the schema says nothing."""

_DIGITS = 10**12
"""No number is larger, where the schema does not say how large it may be."""

_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "prefixItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")


class FormError(ValueError):
    """A schema that no answer can be held to. The message says why."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The longest free text, in letters, and the longest list of anything."""

    letters: int
    items: int


_LADDER = tuple(
    _Bounds(*pair)
    for pair in [(200, 12), (160, 10), (120, 8), (80, 6), (60, 5), (40, 4), (30, 3), (20, 2)]
)


def form(name: str, schema: Schema, *, max_tokens: int = MAX_TOKENS) -> Form:
    """The form for a JSON Schema; `name` is what servers call it.

    Its texts and lists are as long as they can be for the longest answer to have `max_tokens`
    letters; where the schema asks for more, they are as short as it allows. Raises FormError where
    nothing, or nothing of an end, is on the schema, and where it refers to what it does not hold.
    """
    nesting = _nesting(schema)
    for bounds in _LADDER:
        written = _Writer(schema, bounds, nesting).write(schema)
        if written is None:
            raise FormError("nothing that ends is on the schema")
        if longest(written) <= max_tokens:
            break
    text = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:48] or "answer"
    return Form(safe, text, max_tokens)


def _nesting(schema: Schema) -> tuple[int, int]:
    for nesting in _NESTINGS:
        try:
            _Writer(schema, _LADDER[-1], nesting).write(schema)
        except _TooLargeError:
            continue
        return nesting
    raise FormError("the schema is too large with its references written out")


class _TooLargeError(Exception):
    """A schema grows beyond all measure."""


class _Writer:
    """Writes schemas anew; None stands for one that nothing is on."""

    def __init__(self, root: Schema, bounds: _Bounds, nesting: tuple[int, int]) -> None:
        self._root = root
        self._bounds = bounds
        self._circles, self._deepest = nesting
        self._open: list[str] = []
        self._parts = 0

    def write(self, schema: Schema) -> dict[str, Any] | None:
        self._parts += 1
        if self._parts > _PARTS:
            raise _TooLargeError
        if isinstance(schema, bool):
            return self._anything(_DEPTH) if schema else None
        if isinstance(reference := schema.get("$ref"), str):
            if self._is_deep(reference):
                return None
            self._open.append(reference)
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            written = self.write(_both(self._found(reference), beside))
            self._open.pop()
            return written
        if isinstance(parts := schema.get("allOf"), list):
            whole: Schema = {k: v for k, v in schema.items() if k != "allOf"}
            for part in parts:
                whole = _both(whole, self._opened(part))
            return self.write(whole)
        for word in ("anyOf", "oneOf"):
            if isinstance(options := schema.get(word), list):
                beside = {key: value for key, value in schema.items() if key != word}
                return _any_of([self.write(_both(beside, self._opened(o))) for o in options])
        if "const" in schema:
            return self._enum([schema["const"]], schema)
        if isinstance(values := schema.get("enum"), list):
            return self._enum(values, schema)
        kinds = _kinds(schema)
        if not kinds:
            return self._anything(_DEPTH)
        return _any_of([self._of_kind(kind, schema) for kind in kinds])

    def _is_deep(self, reference: str) -> bool:
        opened = self._open
        return opened.count(reference) >= self._circles or len(opened) >= self._deepest

    def _opened(self, schema: Schema) -> Schema:
        """A schema with the reference that it is, if it is one, written out."""
        if isinstance(schema, Mapping) and isinstance(reference := schema.get("$ref"), str):
            if self._is_deep(reference):
                return False
            found = self._found(reference)
            if isinstance(found, Mapping) and reference in json.dumps(found):
                return schema  # a circle: it is counted where it is written
            return _both(found, {key: value for key, value in schema.items() if key != "$ref"})
        return schema

    def _found(self, reference: str) -> Schema:
        node: Any = self._root
        path = reference.removeprefix("#").split("/")
        for key in [] if reference == "#" else path[1:]:
            key = key.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            else:
                node = node.get(key) if isinstance(node, Mapping) else None
        if reference.startswith("#") and isinstance(node, bool | Mapping):
            return node
        raise FormError(f"the schema refers to `{reference}`, which is not in it")

    def _enum(self, values: Sequence[Any], schema: Mapping[str, Any]) -> dict[str, Any] | None:
        kinds = _kinds(schema)
        kept = [value for value in values if not kinds or _kind(value) & {*kinds}]
        return {"enum": kept} if kept else None

    def _of_kind(self, kind: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if kind == "string":
            return {"type": "string", "pattern": self._pattern(schema)}
        if kind in ("integer", "number"):
            return _number(kind, schema)
        return {"type": kind}

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """Its keys in their order; further ones only where it gives none, or asks for them."""
        said = schema.get("properties")
        said = dict(said) if isinstance(said, Mapping) else {}
        required = [key for key in schema.get("required", ()) if isinstance(key, str)]
        others = schema.get("additionalProperties", True)
        for key in required:
            said.setdefault(key, others if isinstance(others, Mapping | bool) else True)
        known: dict[str, Any] = {}
        for key, part in said.items():
            written = self.write(part if isinstance(part, Mapping | bool) else True)
            if written is not None:
                known[key] = written
            elif key in required:
                return None
        whole: dict[str, Any] = {"type": "object"}
        if known or others is False:
            return whole | {
                "properties": known,
                "required": [key for key in known if key in required],
                "additionalProperties": False,
            }
        if isinstance(patterned := schema.get("patternProperties"), Mapping) and patterned:
            others = next(iter(patterned.values()))
        more = self.write(others if isinstance(others, Mapping | bool) else True)
        if more is None or schema.get("maxProperties") == 0:
            return whole | {"properties": {}, "required": [], "additionalProperties": False}
        most = _least(schema.get("maxProperties"), self._bounds.items)
        return whole | {"additionalProperties": more, "maxProperties": most}

    def _array(self, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        prefix = [self.write(part) for part in first]
        least = max(int(schema.get("minItems", 0)), 0)
        items = self.write(schema.get("items", True))
        most = max(least, len(prefix), _least(schema.get("maxItems"), self._bounds.items))
        if items is None:
            most = min(most, len(prefix))
        if None in prefix or least > most:
            return None if least else {"type": "array", "items": {"type": "null"}, "maxItems": 0}
        written: dict[str, Any] = {"type": "array"}
        if prefix:
            most = len(prefix)  # few backends count past them
            written |= {"prefixItems": prefix, "minItems": most, "items": False, "maxItems": most}
            return written
        return written | {
            "items": items or {"type": "null"},
            **({"minItems": least} if least else {}),
            "maxItems": most,
        }

    def _pattern(self, schema: Mapping[str, Any]) -> str:
        given = schema.get("pattern", FORMATS.get(str(schema.get("format"))))
        if isinstance(given, str) and (found := bounded(given, self._bounds.letters)):
            return found
        least = max(int(schema.get("minLength", 0)), 0)
        most = max(least, _least(schema.get("maxLength"), self._bounds.letters))
        return f'^[^"\\\\\\x00-\\x1f]{{{least},{most}}}$'

    def _anything(self, depth: int) -> dict[str, Any]:
        """Any JSON, as deep as that."""
        options: list[dict[str, Any] | None] = [
            self._of_kind(kind, {}) for kind in ("string", "number", "boolean", "null")
        ]
        if depth:
            inside = self._anything(depth - 1)
            most = self._bounds.items
            options += [
                {"type": "array", "items": inside, "maxItems": most},
                {"type": "object", "additionalProperties": inside, "maxProperties": most},
            ]
        return {"anyOf": options}


def _number(kind: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Within the schema's bounds, or within ±10¹²; of an integer, its own ends are in it."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if kind == "number":
        ends = {
            "minimum": low,
            "exclusiveMinimum": above,
            "maximum": high,
            "exclusiveMaximum": below,
        }
        return {"type": "number", **{word: end for word, end in ends.items() if end is not None}}
    lows = [-(-low // 1)] if low is not None else []
    lows += [above // 1 + 1] if above is not None else []
    highs = [high // 1] if high is not None else []
    highs += [-(-below // 1) - 1] if below is not None else []
    least = int(max(lows)) if lows else min(-_DIGITS, int(min(highs, default=0)))
    most = int(min(highs)) if highs else max(_DIGITS, int(max(lows, default=0)))
    return {"type": "integer", "minimum": least, "maximum": most} if least <= most else None


def _both(one: Schema, other: Schema) -> Schema:
    """What is on both, as far as words stand in one of them, or are keys, or what must be there."""
    if isinstance(one, bool):
        return other if one else False
    if isinstance(other, bool):
        return one if other else False
    whole: dict[str, Any] = {**one, **other}
    if "properties" in one and "properties" in other:
        whole["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        whole["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    for word in ("anyOf", "oneOf", "allOf", "$ref"):
        if word in one and word in other and one[word] != other[word]:
            mine = {word: one[word]}
            whole["allOf"] = [*whole.get("allOf", ()), mine]
    return whole


def _any_of(options: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    flat: list[dict[str, Any]] = []
    for option in options:
        if option is not None:
            flat += [one for one in option.get("anyOf", [option]) if one not in flat]
    if len(flat) < 2:
        return flat[0] if flat else None
    return {"anyOf": flat}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema allows; none where it does not say."""
    said = schema.get("type")
    kinds = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    if not kinds:
        kinds = [kind for kind, words in _OF_TYPE.items() if any(word in schema for word in words)]
    return [kind for kind in kinds if kind in _TYPES]


def _kind(value: Any) -> set[str]:
    if value is None or isinstance(value, bool):
        return {"null" if value is None else "boolean"}
    if isinstance(value, int | float):
        return {"number", "integer"} if float(value).is_integer() else {"number"}
    if isinstance(value, str):
        return {"string"}
    return {"array" if isinstance(value, list) else "object"}


def _least(said: Any, most: int) -> int:
    return min(int(said), most) if isinstance(said, int | float) else most
