"""Decides `ask` items by asking a model: one prompt an item, every quote verified by code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cm2.judge.desk import Cache, Desk, Limits, NoCache
from cm2.judge.engine import (
    Answered,
    Engine,
    EngineError,
    Failed,
    Prompt,
    Shape,
    Tested,
    schema_of,
)
from cm2.judge.judge import BY, Judge
from cm2.judge.prompt import Templates, schemas_in, shape_for
from cm2.judge.quote import verified
from cm2.judge.reading import DatedReading, OffSchemaError, Reading, read
from cm2.judge.view import Question, View, ViewError, ViewLimits, view
from cm2.judge.votes import decided
from cm2dsl import ir, prompts
from cm2dsl.language import language_of
from cm2dsl.reward.verdict import Decision, Evidence, Verdict

Reads = Callable[[str], object]

SUSPICIOUS = 5
"""Answers, the first of an engine, that are all off the schema when it does not hold to one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with what was shown for it, and its prompt."""

    item: ir.Item
    name: str
    view: View
    templates: Templates
    prompt: Prompt
    shape: Shape


@dataclass(frozen=True, slots=True)
class _Read:
    """An answer that was read, with the evidence that is there."""

    reading: Reading
    evidence: tuple[Evidence, ...]
    confidence: float | None

    @property
    def groundless(self) -> bool:
        """A pass without a quote that is there."""
        return self.reading.verdict == "pass" and not self.evidence


class PromptedJudge(Judge):
    """An engine, and a bundle's prompts to ask it with."""

    def __init__(
        self,
        engine: Engine,
        files: Mapping[str, str] | None = None,
        *,
        limits: Limits | None = None,
        cache: Cache | None = None,
        shown: ViewLimits | None = None,
        language: prompts.Language | None = None,
    ) -> None:
        """`files` are the bundle's (name -> text); without it, those of this version.

        `limits` are how requests are sent, `shown` how much of a dialogue is shown, `cache` what
        keeps answers; without it none are kept. `language` is that of the instructions; without it
        they are in the language of the spec's questions.
        """
        super().__init__()
        own = prompts.files() if files is None else files
        chosen = prompts.LANGUAGES if language is None else (language,)
        self._templates = {each: Templates(own, each) for each in chosen}
        self._languages: dict[int, tuple[ir.Spec, prompts.Language]] = {}
        self._schemas = schemas_in(own)
        limits = limits or Limits()
        self.places = limits.concurrency
        self._desk = Desk(engine, limits, self.ledger, cache or NoCache())
        self._engine = engine
        self._shown = shown or ViewLimits()
        self._on_schema = False
        self._off_schema = 0

    async def ready(self) -> None:
        if isinstance(self._engine, Tested):
            await self._engine.ready()

    async def release(self) -> None:
        await self._desk.close()

    async def decide(self, question: Question) -> Decision:
        tokens = self._engine.control_tokens
        try:
            shown = view(question, tokens, self._shown)
        except ViewError as error:
            return Decision(Verdict.ERROR, BY, reason=str(error))
        if shown.steps == 0:
            return Decision(Verdict.INSUFFICIENT, BY, reason="the agent did not take a step")
        templates = self._templates_for(question.spec)
        prompt = templates.render(question, shown, tokens)
        shape = shape_for(question)
        asked = _Asked(question.item, question.name, shown, templates, prompt, shape)
        return await decided(partial(self._vote, asked), question.spec.judge)

    def _templates_for(self, spec: ir.Spec) -> Templates:
        """The templates in the judge's language, or else in that of the spec."""
        if len(self._templates) == 1:
            return next(iter(self._templates.values()))
        known = self._languages.get(id(spec))
        if known is None:  # the spec is kept, so that its id stays its own
            known = self._languages[id(spec)] = (spec, language_of(spec))
        return self._templates[known[1]]

    async def _vote(self, asked: _Asked, number: int | None) -> Decision:
        """One sample, decoded greedily without a number; a groundless pass is asked for once more.

        The second time the prompt says what was wrong. What is then still groundless is
        `insufficient`.
        """
        prompt = asked.prompt
        if number is not None:
            prompt = replace(prompt, seed=_seed(prompt, number))
        found = await self._read(asked, prompt)
        if isinstance(found, _Read) and found.groundless:
            again = asked.templates.again(prompt)
            found = await self._read(asked, again)
        if isinstance(found, Failed):
            return Decision(Verdict.ERROR, BY, reason=found.cause)
        return _decision(asked, found)

    async def _read(self, asked: _Asked, prompt: Prompt) -> _Read | Failed:
        """The answer to a prompt, read; asked for anew with another sample where it did not end.

        Such an answer comes again from the same prompt decoded in the same way. One that is off the
        schema does not: where decoding is held to it, something broke on the way, and the same
        request may do better. Another sample in its place would let a fault choose a verdict.
        """
        found = await self._ask(asked, prompt)
        if isinstance(found, Failed) and found.trouble == "truncated":
            other = replace(prompt, seed=_seed(prompt, -1))
            found = await self._ask(asked, other)
        if isinstance(found, Failed):
            return found
        reading = read(found.text, asked.shape)
        pairs = [(piece.segment, piece.quote) for piece in reading.evidence]
        return _Read(reading, verified(pairs, asked.view.texts()), found.confidence)

    async def _ask(self, asked: _Asked, prompt: Prompt) -> Answered | Failed:
        return await self.ask(prompt, asked.name, partial(read, shape=asked.shape))

    @property
    def control_tokens(self) -> Sequence[str]:
        """What the model's tokenizer reads as control tokens."""
        return self._engine.control_tokens

    @property
    def shown(self) -> ViewLimits:
        """How much of a dialogue is shown."""
        return self._shown

    async def ask(self, prompt: Prompt, item: str, reads: Reads) -> Answered | Failed:
        """The answer to any prompt, out of the cache or within the limits; `item` is charged.

        `reads` raises OffSchemaError for a text that is not what was asked for.
        """
        return await self._desk.ask(prompt, self._key(prompt), item, partial(self._usable, reads))

    def _usable(self, reads: Reads, answer: Answered) -> Failed | None:
        """What is wrong with an answer's form.

        Raises EngineError where the engine's first answers are all off the schema: it was asked to
        hold to it and says nothing, so that no answer of it can be trusted to be one.
        """
        try:
            reads(answer.text)
        except OffSchemaError as error:
            self._off_schema += 1
            if not self._on_schema and self._off_schema >= SUSPICIOUS:
                raise EngineError(
                    f"the judge's first {self._off_schema} answers are off the schema ({error}): "
                    "it does not constrain its answers",
                    "use a server that enforces JSON schemas (vLLM, SGLang, llama.cpp)",
                ) from None
            return Failed(str(error), "off_schema", again=True, usage=answer.usage)
        self._on_schema = True
        return None

    def _key(self, prompt: Prompt) -> str:
        """A hash of all that an answer depends on (DESIGN §8).

        The prompt holds the item, what the judge saw and the prompts' version.
        """
        schema = schema_of(prompt.shape, self._schemas)
        parts = [self._engine.identity, schema, prompt.system, prompt.user]
        text = json.dumps([*parts, prompt.seed], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _seed(prompt: Prompt, sample: int) -> int:
    """A number of 63 bits for this sample of a prompt: the same in every run, everywhere."""
    text = "\0".join((prompt.system, prompt.user, str(prompt.seed), str(sample)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _decision(asked: _Asked, found: _Read) -> Decision:
    """An answer as a decision, its evidence reduced to the quotes that are there."""
    reading = found.reading
    if found.groundless:
        reason = f"passed without a quote that is there: {reading.reason}"
        return Decision(Verdict.INSUFFICIENT, BY, reason=reason)  # the model was sure of a pass
    return Decision(
        Verdict(reading.verdict),
        BY,
        found.evidence,
        _step(asked, found) if reading.verdict == "pass" else None,
        reading.reason,
        confidence=found.confidence,
    )


def _step(asked: _Asked, found: _Read) -> int:
    """The step of the scope after which a passed item holds.

    The later of the step that the judge names, where it was asked to, and that of its evidence: an
    item cannot hold before what shows it is there. Without either, and for what is decided when the
    turn ends, the last.
    """
    last = asked.view.steps - 1
    if asked.item.kind != "item":
        return last
    dates = [asked.view.step_of([piece.segment for piece in found.evidence])]
    if isinstance(found.reading, DatedReading):
        dates.append(asked.view.step_named(found.reading.step))
    return max((date for date in dates if date is not None), default=last)
