"""One score from 1 to 10 for the whole dialogue: what a checklist is compared with.

This is the reward that the paper argues against, so that it can be measured against it on the same
dialogues, with the same model. It never sees the checklist: one request a dialogue, and every item
that a judge is asked about passes where the score reaches a threshold. Its passes rest on no quote.

Its templates lie beside this file and not in bundles: a spec's reward is its checklist, and what is
in its bundle is what decides that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files as resources
from typing import Annotated, Any

import msgspec
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cm2 import jsonl
from cm2.judge import config
from cm2.judge.digest import digest, steps_of
from cm2.judge.engine import Failed, JudgeLoadError, Prompt
from cm2.judge.judge import BY, Judge
from cm2.judge.prompted import PromptedJudge
from cm2.judge.reading import OffSchemaError
from cm2.judge.view import Question, View, ViewError, view
from cm2dsl import ir
from cm2dsl.reward.verdict import Decision, Verdict

THRESHOLD = 7
"""The least score of a dialogue in which what was asked is done."""

KEPT = 10_000
"""Dialogues whose score is known: items of older ones ask again."""


class Settings(config.Settings, frozen=True, kw_only=True):
    """`of` are the settings of the model that is asked: an engine that prompts one.

    The items of a dialogue pass if its score is at least `threshold`.
    """

    of: dict[str, Any]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=10)] = THRESHOLD

    def inside(self) -> Mapping[str, Mapping[str, Any]]:
        return {"of": self.of}


def open_judge(settings: Settings, context: config.Context) -> Judge:
    """Raises JudgeLoadError."""
    inner = config.open_judge(settings.of, config.within(context, "of"))
    if not isinstance(inner, PromptedJudge):
        inner.close()
        name = settings.of.get("engine")
        raise JudgeLoadError(
            f"{context.where}: `of` wants an engine that prompts a model, and `{name}` does not"
        )
    return HolisticJudge(inner, settings.threshold)


class Rated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer."""

    reason: Annotated[str, msgspec.Meta(pattern=r'^[^"\\\x00-\x1f]{1,128}$')]
    score: Annotated[int, msgspec.Meta(ge=1, le=10)]


@dataclass(slots=True)
class _Asked:
    """A dialogue's one request, and how many items wait for it."""

    task: asyncio.Task[Rated | Failed]
    waiting: int = 0


class HolisticJudge(Judge):
    """Asks for one score a dialogue, and answers for every item with it.

    The score is kept as long as the judge: where a gate hangs on an item, the dialogue so far has
    one of its own. Votes are not counted, for there is one answer.
    """

    def __init__(self, inner: PromptedJudge, threshold: int = THRESHOLD) -> None:
        super().__init__()
        self.ledger = inner.ledger
        self.places = inner.places
        self.whole_dialogues = True
        self._inner = inner
        self._threshold = threshold
        self._known: dict[str, Rated | Failed] = {}
        self._out: dict[str, _Asked] = {}
        environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
        )
        self._system, self._user = (
            environment.from_string(_template(part)) for part in ("system", "user")
        )

    async def decide(self, question: Question) -> Decision:
        """A pass from the last step of the item's scope on, or a fail; the score is the reason."""
        if question.item.ask is None:
            raise ValueError(f"the item `{question.item.name}` has no `ask`")
        steps = steps_of(question)
        if not steps:
            return Decision(Verdict.INSUFFICIENT, BY, reason="the agent did not take a step")
        whole = replace(question, turn=None, item=_anything(question.item), dated=False)
        try:
            shown = view(whole, self._inner.control_tokens, self._inner.shown)
        except ViewError as error:
            return Decision(Verdict.ERROR, BY, reason=str(error))
        rated = await self._rated(whole, shown)
        if isinstance(rated, Failed):
            return Decision(Verdict.ERROR, BY, reason=rated.cause)
        self.ratings[question.trajectory.task, question.trajectory.id] = rated.score
        reason = f"score {rated.score} of 10: {rated.reason}"
        if rated.score >= self._threshold:
            return Decision(Verdict.PASS, BY, step=steps - 1, reason=reason)
        return Decision(Verdict.FAIL, BY, reason=reason)

    async def _rated(self, whole: Question, shown: View) -> Rated | Failed:
        """The score of a dialogue, asked for once; the request ends with the last that waits."""
        key = digest(whole)
        if key in self._known:
            return self._known[key]
        asked = self._out.get(key)
        if asked is None:
            asked = self._out[key] = _Asked(asyncio.ensure_future(self._ask(whole, shown)))
        asked.waiting += 1
        try:
            rated = self._known[key] = await asyncio.shield(asked.task)
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            return rated
        finally:
            asked.waiting -= 1
            if not asked.waiting:
                asked.task.cancel()  # of no effect once it is done
                self._out.pop(key, None)

    async def _ask(self, whole: Question, shown: View) -> Rated | Failed:
        user = self._user.render(
            system=shown.system,
            tools=shown.tools,
            segments=[
                {
                    "name": each.name,
                    "head": part.head,
                    "left_out": part.left_out,
                    "tail": part.tail,
                }
                for each, part in shown.segments
            ],
            fence=shown.fence,
        )
        system = self._system.render()
        prompt = Prompt(system.strip(), user.strip(), shape="score", lane=whole.lane)
        answer = await self._inner.ask(prompt, f"{whole.task.name}.holistic", _read)
        return answer if isinstance(answer, Failed) else _read(answer.text)

    async def ready(self) -> None:
        await self._inner.ready()

    async def release(self) -> None:
        await self._inner.release()


def _anything(item: ir.Item) -> ir.Item:
    """An item that looks at nothing of its own: the dialogue is shown the same to all."""
    return msgspec.structs.replace(item, focus="reply", kind="item", ask=("",), passes=(), fails=())


def _read(text: str) -> Rated:
    """Raises OffSchemaError."""
    try:
        return msgspec.convert(jsonl.parse(text), Rated)
    except (jsonl.JsonError, msgspec.ValidationError) as error:
        says = getattr(error, "message", str(error))
        raise OffSchemaError(
            f"the answer is off the schema: {says[:1].lower()}{says[1:]}"
        ) from None


def _template(part: str) -> str:
    return (resources("cm2.judge.engines") / f"holistic.{part}.jinja").read_text("utf-8")
