"""Another judge with noise: verdicts flipped at given rates, for studies of what noise does.

Whether a verdict is flipped follows from the seed and from what was judged alone: the order in
which questions come, and how many are asked at once, change nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from cm2.judge import config
from cm2.judge.digest import digest, steps_of
from cm2.judge.judge import BY, Judge
from cm2.judge.view import Question
from cm2dsl.reward.verdict import Decision, Verdict

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Settings(config.Settings, frozen=True, kw_only=True):
    """`of` are the settings of the judge whose verdicts are flipped.

    `false_positive` is the share of the items it does not pass that pass all the same,
    `false_negative` that of the items it passes that fail. Another `seed` flips others.
    """

    of: dict[str, Any]
    false_positive: Rate = 0.0
    false_negative: Rate = 0.0
    seed: int = 0

    def inside(self) -> Mapping[str, Mapping[str, Any]]:
        return {"of": self.of}


def open_judge(settings: Settings, context: config.Context) -> Judge:
    """Raises JudgeLoadError."""
    inner = config.open_judge(settings.of, config.within(context, "of"))
    return NoisyJudge(inner, settings.false_positive, settings.false_negative, settings.seed)


class NoisyJudge(Judge):
    """Asks another judge, and flips what it says."""

    def __init__(
        self, inner: Judge, false_positive: float, false_negative: float, seed: int
    ) -> None:
        super().__init__()
        self.ledger = inner.ledger
        self.places = inner.places
        self.whole_dialogues = inner.whole_dialogues
        self.ratings = inner.ratings
        self._inner = inner
        self._false_positive = false_positive
        self._false_negative = false_negative
        self._seed = seed

    async def decide(self, question: Question) -> Decision:
        """The other's decision, or the opposite.

        `insufficient` is not satisfied, as `fail` is: it is flipped to a pass as often. An `error`
        stays one, for a fault is no verdict, and so does what a turn without a step comes to, for
        nothing can pass there. A flipped pass holds from the last step of its scope, and neither
        has evidence.
        """
        decision = await self._inner.decide(question)
        steps = steps_of(question)
        if decision.verdict is Verdict.ERROR or not steps:
            return decision
        passed = decision.verdict is Verdict.PASS
        if self._draw(question) >= (self._false_negative if passed else self._false_positive):
            return decision
        reason = f"noise, in place of {decision.verdict}: {decision.reason}"
        if passed:
            return Decision(Verdict.FAIL, BY, reason=reason)
        return Decision(Verdict.PASS, BY, step=steps - 1, reason=reason)

    def _draw(self, question: Question) -> float:
        """A number from 0 to 1 that is this question's own."""
        parts = [self._seed, question.trajectory.id, question.name, digest(question)]
        drawn = hashlib.sha256(json.dumps(parts).encode()).digest()
        return int.from_bytes(drawn[:8], "big") / (1 << 64)

    async def ready(self) -> None:
        await self._inner.ready()

    async def release(self) -> None:
        await self._inner.release()
