"""A model in this process: any causal model that transformers loads, held to the schema.

The grammar is compiled by Outlines with its outlines_core backend, which alone of its backends
allows no white space without end (docs/judge.md has the measurements).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from transformers import GenerationConfig, LogitsProcessorList

from cm2.judge.batching import Batching
from cm2.judge.config import MAX_TOKENS, AtLeastOne, Context, Prompting, Seconds, prompted
from cm2.judge.constraint import SchemaConstraint, SeededNoise, compile_schema
from cm2.judge.engine import Answer, Answered, Failed, Prompt, Shape, Usage
from cm2.judge.judge import Judge
from cm2.judge.model_directory import Loaded, load_model
from cm2.judge.prompt import schemas_in

_SHORTEST_ANSWER = 32
"""Tokens without which no answer fits: to generate fewer would only waste time."""


class Settings(Prompting, frozen=True, kw_only=True):
    """`model` is a directory that transformers saved a model in; nothing is downloaded.

    `max_tokens` bounds an answer; the longest that the schema allows fits, even at a token a byte.
    `batch` prompts are decoded at once.
    """

    model: str
    max_tokens: AtLeastOne = MAX_TOKENS
    batch: AtLeastOne = 8
    deadline: Seconds | None = None


def open_judge(settings: Settings, context: Context) -> Judge:
    """Raises JudgeLoadError."""
    engine = load_engine(
        context.folder / settings.model,
        context.files,
        max_tokens=settings.max_tokens,
        batch_size=settings.batch,
    )
    return prompted(engine, settings, context)


def load_engine(
    model_dir: Path, files: Mapping[str, str], *, max_tokens: int, batch_size: int
) -> TransformersEngine:
    """The engine for a model directory. `files` hold the schemas. Raises JudgeLoadError."""
    return TransformersEngine(
        load_model(model_dir), schemas_in(files), max_tokens=max_tokens, batch_size=batch_size
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
        self,
        loaded: Loaded,
        schemas: Mapping[Shape, str],
        *,
        max_tokens: int,
        batch_size: int,
    ) -> None:
        self._loaded = loaded
        self._schemas = schemas
        self._constraints: dict[Shape, SchemaConstraint] = {}
        self._max_tokens = max_tokens
        self._batching = Batching(self.answers, batch_size)
        self._identity = f"transformers {loaded.digest()} {max_tokens}"

    @property
    def control_tokens(self) -> Sequence[str]:
        return self._loaded.control_tokens

    @property
    def identity(self) -> str:
        return self._identity

    async def answer(self, prompt: Prompt) -> Answer:
        return await self._batching.answer(prompt)

    async def close(self) -> None:
        self._batching.close()

    def answers(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in their order, decoded together as far as they are of one shape."""
        found: dict[int, Answer] = {}
        for shape in dict.fromkeys(prompt.shape for prompt in prompts):
            chosen = [i for i, prompt in enumerate(prompts) if prompt.shape == shape]
            rows = [self._row(prompts[i]) for i in chosen]
            found.update(zip(chosen, self._of_shape(shape, rows), strict=True))
        return [found[i] for i in range(len(prompts))]

    def _of_shape(self, shape: Shape, rows: Sequence[_Row]) -> list[Answer]:
        if shape not in self._constraints:
            self._constraints[shape] = compile_schema(self._loaded, self._schemas[shape])
        answers: dict[int, Answer] = {
            i: Failed(
                f"the prompt of {len(row.ids)} tokens leaves no room for an answer in the model's "
                f"context of {self._loaded.context}",
                "too_long",
                usage=Usage(prompt=len(row.ids)),
            )
            for i, row in enumerate(rows)
            if row.room < min(_SHORTEST_ANSWER, self._max_tokens)
        }
        fitting = [i for i in range(len(rows)) if i not in answers]
        if fitting:
            generated = self._generate([rows[i] for i in fitting], self._constraints[shape])
            answers.update(zip(fitting, generated, strict=True))
        return [answers[i] for i in range(len(rows))]

    def _row(self, prompt: Prompt) -> _Row:
        ids = self._loaded.encode(prompt)
        context = self._loaded.context
        room = self._max_tokens
        return _Row(ids, prompt.seed, room if context is None else min(room, context - len(ids)))

    def _generate(self, rows: Sequence[_Row], held: SchemaConstraint) -> list[Answer]:
        """One answer a row; a batch too large for the device's memory is halved."""
        limit = min(row.room for row in rows)
        start = perf_counter()
        try:
            output = self._decode(rows, limit, held)
        except torch.OutOfMemoryError:
            if len(rows) == 1:
                length = len(rows[0].ids)
                return [Failed(f"out of memory on a prompt of {length} tokens", "outage")]
            half = len(rows) // 2
            return self._generate(rows[:half], held) + self._generate(rows[half:], held)
        seconds = (perf_counter() - start) / len(rows)
        return [
            self._read(row, ids, limit, held, seconds)
            for row, ids in zip(rows, output, strict=True)
        ]

    def _read(
        self, row: _Row, ids: list[int], limit: int, held: SchemaConstraint, seconds: float
    ) -> Answer:
        """An answer out of a row's new ids; `seconds` are its share of the batch's."""
        end = self._loaded.end
        count = ids.index(end) if end in ids else limit
        usage = Usage(prompt=len(row.ids), output=count, seconds=seconds)
        if end in ids:
            return Answered(self._loaded.decode(ids[:count]), usage)
        if limit < row.room:  # a longer prompt of the batch left less room than this one has
            return self._generate([row], held)[0]
        return Failed(f"the answer did not end within {limit} tokens", "truncated", usage=usage)

    def _decode(self, rows: Sequence[_Row], limit: int, held: SchemaConstraint) -> list[list[int]]:
        """The new token ids of each row, with all that follows its end token.

        Prompts are padded on the left to one (B, T) tensor. Sampling is greedy choice under seeded
        noise, so that what a row draws does not depend on what it shares the batch with.
        """
        width = max(len(row.ids) for row in rows)
        pad, model = self._loaded.pad, self._loaded.model
        input_ids = [[pad] * (width - len(row.ids)) + row.ids for row in rows]
        mask = [[0] * (width - len(row.ids)) + [1] * len(row.ids) for row in rows]
        held.reset()
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
                logits_processor=LogitsProcessorList([held, noise]),
            )
        new: list[list[int]] = output[:, width:].tolist()
        return new
