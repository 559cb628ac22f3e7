"""Verdicts from files, in place of a model: of an earlier run, or of people.

A verdict is replayed onto what it was given on. Rows and rollouts say what that was, so that one
onto a dialogue or a question that has changed is an error; a person's label is of the dialogue with
its id. Quotes are looked up here too: a label whose quote is not there is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cm2.judge import config
from cm2.judge.digest import digest, steps_of
from cm2.judge.judge import BY, Judge
from cm2.judge.quote import occurs
from cm2.judge.recorded import Record, Recorded, read_record
from cm2.judge.view import Question, in_scope
from cm2.trajectory import Segment, segments
from cm2dsl.reward.verdict import Decision, Evidence, Verdict


class Settings(config.Settings, frozen=True, kw_only=True):
    """`verdicts` are files of verdicts. The table `else` is the judge of what they do not have."""

    verdicts: str | list[str]
    otherwise: dict[str, Any] | None = msgspec.field(name="else", default=None)

    def named(self) -> Sequence[str]:
        return [self.verdicts] if isinstance(self.verdicts, str) else self.verdicts

    def inside(self) -> Mapping[str, Mapping[str, Any]]:
        return {} if self.otherwise is None else {"else": self.otherwise}


def open_judge(settings: Settings, context: config.Context) -> Judge:
    """Raises JudgeLoadError."""
    record = read_record([context.folder / name for name in settings.named()])
    inner = None
    if settings.otherwise is not None:
        inner = config.open_judge(settings.otherwise, config.within(context, "else"))
    return ReplayJudge(record, inner)


class ReplayJudge(Judge):
    """Says what was said before; what was not is an error, or another judge's to decide."""

    def __init__(self, record: Record, inner: Judge | None = None) -> None:
        super().__init__()
        if inner is not None:
            self.ledger = inner.ledger
            self.places = inner.places
            self.whole_dialogues = inner.whole_dialogues
        self._record = record
        self._inner = inner

    async def decide(self, question: Question) -> Decision:
        names = (question.name.partition(".")[2], question.name)
        found = self._record.find(question.trajectory.id, names, digest(question))
        if isinstance(found, Recorded) and found.given.verdict != "error":
            return _decision(found, question)
        if self._inner is not None:
            return await self._inner.decide(question)
        if isinstance(found, str):
            return Decision(Verdict.ERROR, BY, reason=found)
        reason = found.given.reason or f"an error was recorded at {found.where}"
        return Decision(Verdict.ERROR, BY, reason=reason)

    async def ready(self) -> None:
        if self._inner is not None:
            await self._inner.ready()

    async def release(self) -> None:
        if self._inner is not None:
            await self._inner.release()


def _decision(found: Recorded, question: Question) -> Decision:
    """What was recorded as a decision, where it can be one of this dialogue."""
    given, steps = found.given, steps_of(question)
    shown = {segment.name: segment for segment in segments(question.trajectory)}
    for piece in given.evidence:
        segment = shown.get(piece.segment)
        if segment is None:
            return _wrong(found, f"there is no `{piece.segment}`")
        if piece.quote is not None and not occurs(piece.quote, segment.text):
            return _wrong(found, f"`{piece.quote}` is not in `{piece.segment}`")
    step = None
    if given.verdict == "pass":
        step = given.step
        if step is None:
            step = _step([shown[piece.segment] for piece in given.evidence], question, steps)
        if not 0 <= step < steps:
            return _wrong(found, f"there is no step {step} of {steps}")
    return Decision(
        Verdict(given.verdict),
        BY,
        tuple(Evidence(piece.segment, piece.quote) for piece in given.evidence),
        step,
        given.reason,
        given.agreement,
        given.confidence,
    )


def _wrong(found: Recorded, what: str) -> Decision:
    return Decision(Verdict.ERROR, BY, reason=f"the verdict at {found.where} does not fit: {what}")


def _step(evidence: list[Segment], question: Question, steps: int) -> int:
    """The step from which a pass holds: that of its evidence, or else the last."""
    if question.item.kind != "item":
        return steps - 1
    before = [len(turn.steps) for turn in question.trajectory.turns]
    dates = [
        one.step + (sum(before[: one.turn]) if question.turn is None else 0)
        for one in evidence
        if one.step is not None and in_scope(one, question.turn)
    ]
    return max(dates, default=steps - 1)
