"""Asking a model for JSON, for others than a judge: who answers tools, who plays the user.

An `Asker` is a judge's engine with what it takes to depend on it: limits and tries, a cache of
answers, and a ledger of what it cost. What it is asked for is a form of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cm2 import jsonl
from cm2.judge.cache import AnswerCache
from cm2.judge.config import Context, Prompting, opened_engine
from cm2.judge.desk import Cache, Desk, Limits
from cm2.judge.engine import Answered, Engine, Failed, Form, Prompt, Tested
from cm2.judge.ledger import Ledger
from cm2.judge.view import ViewLimits

KEPT = 20_000
"""Answers that are kept in memory, where no cache is named; the oldest give way."""

Wrong = Callable[[Any], str | None]
"""What is wrong with an answer that is JSON, or None."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its JSON, the text that it was read from, and whether it cost no call.

    `asked` is False for an answer out of the cache, or shared with an equal request.
    """

    value: Any
    text: str
    asked: bool


class Memory:
    """A cache as long as its asker: rollouts of one run get equal answers also one by one."""

    def __init__(self, most: int = KEPT) -> None:
        self._answers: dict[str, Answered] = {}
        self._most = most

    def get(self, key: str) -> Answered | None:
        return self._answers.get(key)

    def put(self, key: str, answer: Answered) -> None:
        self._answers[key] = answer
        if len(self._answers) > self._most:
            del self._answers[next(iter(self._answers))]

    def close(self) -> None:
        self._answers.clear()


class Asker:
    """An engine, asked within limits; many may be asked for at once.

    It lives on one event loop, as its connections do. `ledger` has what it took, by what was said
    to be asked for.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        limits: Limits | None = None,
        cache: Cache | None = None,
        shown: ViewLimits | None = None,
    ) -> None:
        """`limits` are how requests are sent; `cache` keeps answers: without it they are kept as
        long as the asker. `shown` is how much a prompt should show at most."""
        self.ledger = Ledger()
        self.shown = shown or ViewLimits()
        self._engine = engine
        limits = limits or Limits()
        self._samples = limits.tries
        self._desk = Desk(engine, limits, self.ledger, cache or Memory())

    @property
    def identity(self) -> str:
        """The model and how it decodes."""
        return self._engine.identity

    @property
    def name(self) -> str:
        """Twelve digits that stand for the identity, for records of who answered."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:12]

    @property
    def control_tokens(self) -> Sequence[str]:
        """What the model's tokenizer reads as control tokens: to be kept out of data."""
        return self._engine.control_tokens

    async def ready(self) -> None:
        """See that anything can be asked at all. Raises EngineError where nothing can."""
        if isinstance(self._engine, Tested):
            await self._engine.ready()

    async def ask(
        self,
        system: str,
        user: str,
        form: Form,
        *,
        item: str,
        seed: int | None = None,
        lane: str = "",
        wrong: Wrong = lambda value: None,
    ) -> Told | Failed:
        """The answer to a prompt, on the form, or why there is none.

        `item` is what the ledger counts it for. `seed` None decodes greedily, a number samples: the
        same for the same. `lane` names what prompts share their beginning with. The same request is
        answered out of the cache, and once for all who ask at once.

        What does not end, is no JSON, or is `wrong`, would come again from the same request: it is
        asked for with another sample, as often as the limits say, and these are the same in every
        run. Raises EngineError where the engine can answer nothing at all.
        """
        prompt = Prompt(system, user, seed, form, lane)
        found = await self._ask(prompt, form, item, wrong)
        for sample in range(1, self._samples):
            if isinstance(found, Told) or found.trouble not in ("truncated", "off_schema"):
                break
            other = replace(prompt, seed=seed_of(system, user, seed, sample))
            found = await self._ask(other, form, item, wrong)
        return found

    async def _ask(self, prompt: Prompt, form: Form, item: str, wrong: Wrong) -> Told | Failed:
        asked = False

        def usable(answer: Answered) -> Failed | None:
            nonlocal asked
            asked = True
            said = _fault(answer.text, wrong)
            return None if said is None else Failed(said, "off_schema", usage=answer.usage)

        answer = await self._desk.ask(prompt, self._key(prompt, form), item, usable)
        if isinstance(answer, Failed):
            return answer
        said = None if asked else _fault(answer.text, wrong)
        if said is not None:  # an older answer, which was right by what was wrong then
            return Failed(said, "off_schema", usage=answer.usage)
        return Told(jsonl.parse(answer.text), answer.text, asked)

    def _key(self, prompt: Prompt, form: Form) -> str:
        """A hash of all that an answer depends on."""
        parts = [self.identity, form.schema, form.max_tokens, prompt.system, prompt.user]
        text = json.dumps([*parts, prompt.seed], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    async def close(self) -> None:
        """Let go of connections, files and threads, and withdraw what is still out."""
        await self._desk.close()


def open_asker(said: Mapping[str, Any], context: Context) -> Asker:
    """The asker that an engine's settings describe, as a judge's do. Raises JudgeLoadError."""
    engine, settings = opened_engine(said, context)
    return Asker(
        engine,
        limits=settings.limits,
        cache=_cache(engine, settings, context),
        shown=settings.shown,
    )


def seed_of(*parts: object) -> int:
    """A seed of 63 bits that is these parts' own: the same in every run, everywhere."""
    text = json.dumps([str(part) for part in parts], ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _cache(engine: Engine, settings: Prompting, context: Context) -> Cache | None:
    if settings.cache is None:
        return None
    return AnswerCache(context.folder / settings.cache, lambda: engine.identity)


def _fault(text: str, wrong: Wrong) -> str | None:
    if not text.strip():
        return "the answer is empty"
    try:
        return wrong(jsonl.parse(text))
    except jsonl.JsonError as error:
        return f"the answer is {error.message}"
