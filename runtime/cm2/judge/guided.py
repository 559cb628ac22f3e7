"""Decoding held to forms: a grammar a row, made in milliseconds whatever the schema.

Outlines' own guide is made of every text that a schema allows, once and for all. That is fine for a
verdict, and takes minutes and gigabytes for a list of records of free texts. llguidance, which
Outlines can use as well, works out what may come next when it is asked; told so, it allows no white
space between the signs of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from llguidance.numpy import fill_next_token_bitmask

from cm2.judge.engine import EngineError, Form
from cm2.judge.model_directory import Loaded

_KEY = "^[A-Za-z0-9_.:-]{1,24}$"
_HUNDREDTHS = {"minimum": -(10**9), "maximum": 10**9, "multipleOf": 0.01}


class Grammars:
    """Forms compiled for one model's vocabulary, each once."""

    def __init__(self, loaded: Loaded) -> None:
        self._directory = loaded.directory
        self._rows = loaded.model.get_input_embeddings().num_embeddings
        self._tokenizer = LLTokenizer(TokenizerWrapper(_Words(loaded, self._rows)), self._rows)
        self._end = loaded.end
        self._known: dict[str, LLMatcher] = {}

    def constraint(self, forms: Sequence[Form]) -> FormConstraint:
        """The logits processor for a batch with these forms, a row each. Raises EngineError."""
        return FormConstraint([self._matcher(form) for form in forms], self._rows, self._end)

    def _matcher(self, form: Form) -> LLMatcher:
        found = self._known.get(form.schema)
        if found is None:
            said = json.dumps(_in_its_words(json.loads(form.schema)))
            grammar = LLMatcher.grammar_from_json_schema(
                said, overrides={"whitespace_flexible": False}
            )
            found = LLMatcher(self._tokenizer, grammar, log_level=0)
            if found.is_error():
                raise EngineError(
                    f"`{self._directory}` cannot be held to the schema of `{form.name}`: "
                    f"{' '.join(found.get_error().split())[:200]}",
                    "write the schema in simpler words",
                )
            self._known[form.schema] = found
        return found.deep_copy()


class FormConstraint:
    """A logits processor: every row writes what its grammar allows, and its end token after it."""

    def __init__(self, matchers: Sequence[LLMatcher], vocabulary: int, end: int) -> None:
        self._matchers = matchers
        self._end = end
        self._words = np.zeros((len(matchers), (vocabulary + 31) // 32), dtype=np.int32)
        self._begun = False

    def __call__(self, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        last = input_ids[:, -1].tolist()
        for row, matcher in enumerate(self._matchers):
            if self._begun and not matcher.is_stopped():
                matcher.consume_token(last[row])
            if matcher.is_stopped():
                self._words[row] = 0
                self._words[row, self._end // 32] = np.uint32(1 << self._end % 32).view(np.int32)
            else:
                fill_next_token_bitmask(matcher, self._words, row)
            if matcher.is_error():
                raise RuntimeError(f"a grammar broke: {matcher.get_error()}")
        self._begun = True
        octets = self._words.view(np.uint8)
        bits = np.unpackbits(octets, axis=1, count=logits.shape[1], bitorder="little")
        allowed = torch.from_numpy(bits.view(np.bool_)).to(logits.device)
        return torch.where(allowed, logits, -torch.inf)


class _Words:
    """The vocabulary as llguidance wants it: the bytes of every token, control tokens apart."""

    def __init__(self, loaded: Loaded, rows: int) -> None:
        control = [i for i in range(rows) if i not in loaded.tokens]
        self.eos_token_id = loaded.end
        self.bos_token_id = None
        self.special_token_ids = control
        self.tokens = [loaded.tokens.get(i, b"\xff<%d>" % i) for i in range(rows)]
        self._of_bytes = {written: i for i, written in loaded.tokens.items()}

    def __call__(self, text: bytes) -> list[int]:
        """Any tokens that write the text: they are only asked for where one is forced."""
        found: list[int] = []
        while text:
            length = next(
                n for n in range(len(text), -1, -1) if not n or text[:n] in self._of_bytes
            )
            if not length:
                return found
            found.append(self._of_bytes[text[:length]])
            text = text[length:]
        return found


def _in_its_words(schema: Any) -> Any:
    """A form's schema with the bounds that llguidance knows, and not every server."""
    if isinstance(schema, list):
        return [_in_its_words(part) for part in schema]
    if not isinstance(schema, Mapping) or "enum" in schema:
        return schema
    if schema.get("type") == "number":
        return {**_HUNDREDTHS, **schema}
    if "maxProperties" in schema:
        values = _in_its_words(schema["additionalProperties"])
        return {
            "type": "object",
            "patternProperties": {_KEY: values},
            "additionalProperties": False,
            "maxProperties": schema["maxProperties"],
        }
    said = {key: _in_its_words(part) for key, part in schema.items() if key != "properties"}
    if "properties" in schema:
        said["properties"] = {k: _in_its_words(part) for k, part in schema["properties"].items()}
    return said
