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
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from cm2.judge.batching import Batching, Wanted
from cm2.judge.config import MAX_TOKENS, AtLeastOne, Context, Deadline, Name, Prompting, prompted
from cm2.judge.constraint import SchemaConstraint, SeededNoise, compile_schema
from cm2.judge.engine import Answer, Answered, Failed, Form, Prompt, Shape, Usage, tokens_of
from cm2.judge.guided import FormConstraint, Grammars
from cm2.judge.judge import Judge
from cm2.judge.model_directory import Loaded, load_model
from cm2.judge.prefix import Prefixes
from cm2.judge.prompt import schemas_in
from cm2.judge.witness import Witness

_SHORTEST_ANSWER = 32
"""Tokens without which no answer fits: to generate fewer would only waste time."""


class Settings(Prompting, frozen=True, kw_only=True):
    """`model` is a directory that transformers saved a model in; nothing is downloaded.

    `max_tokens` bounds an answer; the longest that the schema allows fits, even at a token a byte.
    `batch` prompts are decoded at once.
    """

    model: Name
    max_tokens: AtLeastOne = MAX_TOKENS
    batch: AtLeastOne = 8
    deadline: Deadline | None = None

    def named(self) -> Sequence[str]:
        return [*Prompting.named(self), self.model]


def open_judge(settings: Settings, context: Context) -> Judge:
    """Raises JudgeLoadError."""
    return prompted(open_engine(settings, context), settings, context)


def open_engine(settings: Settings, context: Context) -> TransformersEngine:
    """Raises JudgeLoadError."""
    return load_engine(
        context.folder / settings.model,
        context.files,
        max_tokens=settings.max_tokens,
        batch_size=settings.batch,
    )


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
    lane: str
    room: int
    shape: Shape | Form


@dataclass(frozen=True, slots=True)
class _Written:
    """What a row wrote: its new token ids, with all that follows its end token.

    `cached` tokens of its prompt were not encoded for it.
    """

    ids: list[int]
    cached: int
    confidence: float | None


class TransformersEngine:
    """Batched generation under the constraint; see Engine for what it promises.

    What the prompts of a lane share is encoded once (`prefix.py`).
    """

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
        self._grammars: Grammars | None = None
        self._prefixes = Prefixes(loaded.model, loaded.pad)
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
        await self._batching.close()
        self._prefixes.forget()

    def answers(self, prompts: Sequence[Prompt], wanted: Wanted = lambda: True) -> list[Answer]:
        """One answer a prompt, in their order; of one fixed shape, or of any forms of one length,
        they are decoded together.

        Decoding stops as soon as the answers are not `wanted`.
        """
        found: dict[int, Answer] = {}
        for kind in dict.fromkeys(_kind(prompt) for prompt in prompts):
            chosen = [i for i, prompt in enumerate(prompts) if _kind(prompt) == kind]
            rows = [self._row(prompts[i]) for i in chosen]
            found.update(zip(chosen, self._of_kind(rows, wanted), strict=True))
        return [found[i] for i in range(len(prompts))]

    def _of_kind(self, rows: Sequence[_Row], wanted: Wanted) -> list[Answer]:
        answers: dict[int, Answer] = {
            i: Failed(
                f"the prompt of {len(row.ids)} tokens leaves no room for an answer in the model's "
                f"context of {self._loaded.context}",
                "too_long",
                usage=Usage(prompt=len(row.ids)),
            )
            for i, row in enumerate(rows)
            if row.room < min(_SHORTEST_ANSWER, tokens_of(row.shape, self._max_tokens))
        }
        fitting = [i for i in range(len(rows)) if i not in answers]
        if fitting:
            generated = self._generate([rows[i] for i in fitting], wanted)
            answers.update(zip(fitting, generated, strict=True))
        return [answers[i] for i in range(len(rows))]

    def _held(self, rows: Sequence[_Row]) -> SchemaConstraint | FormConstraint:
        """What holds a batch to its schemas, at its beginning."""
        forms = [row.shape for row in rows if isinstance(row.shape, Form)]
        if forms:
            self._grammars = self._grammars or Grammars(self._loaded)
            return self._grammars.constraint(forms)
        shape = rows[0].shape
        assert not isinstance(shape, Form)
        if shape not in self._constraints:
            self._constraints[shape] = compile_schema(self._loaded, self._schemas[shape])
        held = self._constraints[shape]
        held.reset()
        return held

    def _row(self, prompt: Prompt) -> _Row:
        ids = self._loaded.encode(prompt)
        context = self._loaded.context
        room = tokens_of(prompt.shape, self._max_tokens)
        room = room if context is None else min(room, context - len(ids))
        return _Row(ids, prompt.seed, prompt.lane, room, prompt.shape)

    def _generate(self, rows: Sequence[_Row], wanted: Wanted) -> list[Answer]:
        """One answer a row; a batch too large for the device's memory is halved."""
        limit = min(row.room for row in rows)
        start = perf_counter()
        try:
            output = self._decode(rows, limit, wanted)
        except torch.OutOfMemoryError:
            self._prefixes.forget()
            if len(rows) == 1:
                length = len(rows[0].ids)
                return [Failed(f"out of memory on a prompt of {length} tokens", "outage")]
            half = len(rows) // 2
            return [
                answer
                for part in (rows[:half], rows[half:])
                for answer in self._generate(part, wanted)
            ]
        seconds = (perf_counter() - start) / len(rows)
        answers = []
        for row, written in zip(rows, output, strict=True):
            answer = self._read(row, written, limit, seconds)
            if answer is None:
                (answer,) = self._generate([row], wanted)
            answers.append(answer)
        return answers

    def _read(self, row: _Row, written: _Written, limit: int, seconds: float) -> Answer | None:
        """An answer out of what a row wrote; `seconds` are its share of the batch's.

        None where it did not end for want of room that this row has, and a longer prompt of its
        batch had not.
        """
        ids, end = written.ids, self._loaded.end
        count = ids.index(end) if end in ids else limit
        usage = Usage(prompt=len(row.ids), cached=written.cached, output=count, seconds=seconds)
        if end in ids:
            return Answered(self._loaded.decode(ids[:count]), usage, written.confidence)
        if limit < row.room:
            return None
        return Failed(f"the answer did not end within {limit} tokens", "truncated", usage=usage)

    def _decode(self, rows: Sequence[_Row], limit: int, wanted: Wanted) -> list[_Written]:
        """What each row writes within `limit` tokens.

        Sampling is greedy choice under seeded noise, so that what a row draws does not depend on
        what it shares the batch with.
        """
        held = self._held(rows)
        witness = Witness(self._loaded.tokens, len(rows))
        noise = SeededNoise([row.seed for row in rows])
        with torch.inference_mode():
            begun = self._prefixes.begin([row.ids for row in rows], [row.lane for row in rows])
            output = self._loaded.model.generate(
                input_ids=begun.input_ids,
                attention_mask=begun.mask,
                past_key_values=begun.cache,
                generation_config=GenerationConfig(
                    max_new_tokens=limit,
                    do_sample=False,
                    eos_token_id=self._loaded.end,
                    pad_token_id=self._loaded.pad,
                ),
                logits_processor=LogitsProcessorList([held, witness, noise]),
                stopping_criteria=StoppingCriteriaList([_Unwanted(wanted)]),
            )
        new = output[:, begun.input_ids.shape[1] :].tolist()
        return [_Written(ids, begun.known[i], witness.confidence(i)) for i, ids in enumerate(new)]


def _kind(prompt: Prompt) -> Shape | int:
    """What prompts that are decoded together have in common."""
    shape = prompt.shape
    return shape.max_tokens if isinstance(shape, Form) else shape


class _Unwanted:
    """Ends a batch whose answers nobody waits for any more."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def __call__(
        self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object
    ) -> torch.Tensor:
        over = not self._wanted()
        return torch.full((len(input_ids),), over, dtype=torch.bool, device=input_ids.device)
