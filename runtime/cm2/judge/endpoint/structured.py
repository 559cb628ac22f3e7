"""A JSON Schema in the words of each kind of server, and answers under a schema cut down for some.

json_schema         vLLM, SGLang, llama.cpp's server, and hosted models that take every keyword
structured_outputs  vLLM's own field
json_object         llama-cpp-python's server, and others that take a schema beside the type
strict              hosted models whose schemas know no `pattern` and no `maxItems`
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from cm2dsl import jsonl

Structured = Literal["json_schema", "structured_outputs", "json_object", "strict"]

_FREE_TEXT = re.compile(r'\^\[\^"\\\\\\x00-\\x1f\]\{\d+,(\d+)\}\$')
"""The schema's pattern of a string of free text, whose length it bounds."""

_UNSAID = ("pattern", "maxItems")


def constraint(structured: Structured, name: str, schema: Any) -> dict[str, Any]:
    """The fields of a request that hold its answer to a schema, which has a name."""
    if structured == "structured_outputs":
        return {"structured_outputs": {"json": schema}}
    if structured == "json_object":
        return {"response_format": {"type": "json_object", "schema": schema}}
    said = in_strict_words(schema) if structured == "strict" else schema
    named = {"name": name, "schema": said, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def in_strict_words(schema: Any) -> Any:
    """The schema without the keywords that strict hosts refuse; a description says them instead."""
    if not isinstance(schema, dict):
        return schema
    said: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            said[key] = {name: in_strict_words(part) for name, part in value.items()}
        elif key == "pattern":
            said["description"] = f"matches {value}"
        elif key == "maxItems":
            said["description"] = f"at most {value}"
        elif key in ("anyOf", "prefixItems"):
            said[key] = [in_strict_words(part) for part in value]
        else:
            said[key] = in_strict_words(value)
    if all(isinstance(value, str) for value in said.get("enum", (None,))):
        said.setdefault("type", "string")
    if "properties" in said:  # a key that may be left out is none of their words either
        said["required"] = list(said["properties"])
    return said


def bounded(text: str, schema: Any) -> str:
    """An answer under the strict words of a schema, cut to what the schema itself allows.

    Lists and texts lose their end, `"` becomes `'`, `\\` and control characters become spaces: what
    the schema would have made the model write. A text that is no JSON stays what it is.
    """
    try:
        answer = jsonl.parse(text)
    except jsonl.JsonError:
        return text
    return json.dumps(_within(answer, schema), ensure_ascii=False)


def _within(value: Any, schema: Any) -> Any:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {name: _within(part, known.get(name, {})) for name, part in value.items()}
    if isinstance(value, list):
        most = schema.get("maxItems", len(value))
        return [_within(part, schema.get("items", {})) for part in value[:most]]
    free = _FREE_TEXT.fullmatch(schema.get("pattern", ""))
    if isinstance(value, str) and free:
        return re.sub(r"[\\\x00-\x1f]", " ", value.replace('"', "'"))[: int(free[1])]
    return value
