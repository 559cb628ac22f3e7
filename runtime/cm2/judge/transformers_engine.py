"""A judge's model in this process: any causal model that transformers loads, held to the schema.

The grammar is compiled by Outlines with its outlines_core backend, which alone of its backends
allows no white space without end (docs/judge.md has the measurements).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import GenerationConfig, LogitsProcessorList

from cm2.judge.constraint import SchemaConstraint, SeededNoise, compile_schema
from cm2.judge.engine import Answer, Answered, Failed, Prompt
from cm2.judge.model_directory import Loaded, load_model

_SHORTEST_ANSWER = 32
"""Tokens without which no answer fits: to generate fewer would only waste time."""


def load_engine(
    model_dir: Path, schema: str, *, max_new_tokens: int, batch_size: int
) -> TransformersEngine:
    """The engine for a model directory. `schema` is JSON text. Raises JudgeLoadError."""
    loaded = load_model(model_dir)
    return TransformersEngine(
        loaded, compile_schema(loaded, schema), max_new_tokens=max_new_tokens, batch_size=batch_size
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A prompt's token ids, and how many tokens its answer may have."""

    ids: list[int]
    seed: int | None
    room: int


class TransformersEngine:
    """Batched generation under the constraint; see Engine for what it promises."""

    def __init__(
        self, loaded: Loaded, constraint: SchemaConstraint, *, max_new_tokens: int, batch_size: int
    ) -> None:
        self._loaded = loaded
        self._constraint = constraint
        self._max_new_tokens = max_new_tokens
        self._batch_size = batch_size

    @property
    def control_tokens(self) -> Sequence[str]:
        return self._loaded.control_tokens

    def answer(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in their order. Prompts of like length are decoded together."""
        rows = [self._row(prompt) for prompt in prompts]
        answers: dict[int, Answer] = {
            i: Failed(
                f"the prompt of {len(row.ids)} tokens leaves no room for an answer in the model's "
                f"context of {self._loaded.context}"
            )
            for i, row in enumerate(rows)
            if row.room < min(_SHORTEST_ANSWER, self._max_new_tokens)
        }
        fitting = [i for i in range(len(rows)) if i not in answers]
        fitting.sort(key=lambda i: len(rows[i].ids))
        for start in range(0, len(fitting), self._batch_size):
            batch = fitting[start : start + self._batch_size]
            answers.update(zip(batch, self._generate([rows[i] for i in batch]), strict=True))
        return [answers[i] for i in range(len(rows))]

    def _row(self, prompt: Prompt) -> _Row:
        ids = self._loaded.encode(prompt)
        context = self._loaded.context
        room = self._max_new_tokens
        return _Row(ids, prompt.seed, room if context is None else min(room, context - len(ids)))

    def _generate(self, rows: Sequence[_Row]) -> list[Answer]:
        """One answer a row; a batch too large for the device's memory is halved."""
        limit = min(row.room for row in rows)
        try:
            output = self._decode(rows, limit)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                return [Failed(f"out of memory on a prompt of {len(rows[0].ids)} tokens")]
            half = len(rows) // 2
            return self._generate(rows[:half]) + self._generate(rows[half:])
        return [self._read(row, ids, limit) for row, ids in zip(rows, output, strict=True)]

    def _read(self, row: _Row, ids: list[int], limit: int) -> Answer:
        if self._loaded.end in ids:
            return Answered(self._loaded.decode(ids[: ids.index(self._loaded.end)]))
        if limit < row.room:  # a longer prompt of the batch left less room than this one has
            return self._generate([row])[0]
        return Failed(f"the answer did not end within {limit} tokens")

    def _decode(self, rows: Sequence[_Row], limit: int) -> list[list[int]]:
        """The new token ids of each row, with all that follows its end token.

        Prompts are padded on the left to one (B, T) tensor. Sampling is greedy choice under seeded
        noise, so that what a row draws does not depend on what it shares the batch with.
        """
        width = max(len(row.ids) for row in rows)
        pad, model = self._loaded.pad, self._loaded.model
        input_ids = [[pad] * (width - len(row.ids)) + row.ids for row in rows]
        mask = [[0] * (width - len(row.ids)) + [1] * len(row.ids) for row in rows]
        self._constraint.reset()
        noise = SeededNoise([row.seed for row in rows])
        with torch.inference_mode():
            output = model.generate(
                input_ids=torch.tensor(input_ids, device=model.device),
                attention_mask=torch.tensor(mask, device=model.device),
                generation_config=GenerationConfig(
                    max_new_tokens=limit,
                    do_sample=False,
                    eos_token_id=self._loaded.end,
                    pad_token_id=pad,
                ),
                logits_processor=LogitsProcessorList([self._constraint, noise]),
            )
        new: list[list[int]] = output[:, width:].tolist()
        return new
