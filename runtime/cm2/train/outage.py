"""Noticing that something a run depends on is gone, and not training on nothing meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cm2.rollout.report import masked_by, record
from cm2.rollout.stage import Played
from cm2.train.folder import RunError
from cm2dsl.reward.verdict import Decision, Verdict

STEPS = 3
"""Steps in a row of which nothing may count. One or two are an interruption that passes."""

_SHOWN = 2


class OutageError(RunError):
    """The run stopped where it was, and can be gone on with when what is gone is back."""


class Outage:
    """Counts the steps in a row of which no rollout counts."""

    def __init__(self) -> None:
        self._steps = 0

    def saw(self, played: Sequence[Played]) -> None:
        """A step was played. Raises OutageError where it was one too many."""
        self._steps = self._steps + 1 if _all_masked(played) else 0
        if self._steps == STEPS:
            raise OutageError(f"{STEPS} steps in a row had no rollout that counts: {_why(played)}")


def see_scored(phase: str, played: Sequence[Played]) -> None:
    """Raises OutageError where no rollout of an evaluation counts."""
    if _all_masked(played):
        raise OutageError(f"no rollout of the evaluation {phase} counts: {_why(played)}")


def _all_masked(played: Sequence[Played]) -> bool:
    return bool(played) and all(one.masked for one in played)


def _why(played: Sequence[Played]) -> str:
    """What broke, the most frequent first, as of the step or the evaluation that is told of."""
    found = Counter((masked_by(record(one)), _fault(one)) for one in played)
    said = [
        f"the {who} broke on {count}" + (f" ({fault})" if fault else "")
        for (who, fault), count in found.most_common(_SHOWN)
    ]
    return "; ".join(said)


def _fault(one: Played) -> str:
    if one.rollout.fault is not None:
        return one.rollout.fault
    for outcome in one.scored.outcomes.values():
        if isinstance(outcome, Decision) and outcome.verdict is Verdict.ERROR and outcome.reason:
            return outcome.reason
    return ""
