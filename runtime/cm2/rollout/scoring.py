"""How one rollout is scored while it is played: by checks alone, or with a judge."""

from __future__ import annotations

from abc import ABC, abstractmethod

from msgspec.structs import replace

from cm2.judging import Judging
from cm2.rollout.dialogue import JudgeFailure, Rollout
from cm2.trajectory import Trajectory
from cm2dsl.reward.card import Scored, gate_open, score_facts
from cm2dsl.reward.plan import Plan
from cm2dsl.reward.verdict import Decision
from cm2dsl.scope import facts_of


class Scoring(ABC):
    """The score of one rollout, from its first turn on."""

    @abstractmethod
    async def goes_on(self, trajectory: Trajectory) -> bool:
        """Whether the dialogue goes on after its last turn so far. Raises JudgeFailure."""

    @abstractmethod
    async def score(self, rollout: Rollout) -> Scored:
        """The score of the rollout, as far as it is known where something else broke."""

    async def end(self, rollout: Rollout) -> Scored:
        """The score of the rollout, which is over; no reward where something broke."""
        scored = await self.score(rollout)
        if rollout.fault is not None:
            nothing: list[float | None] = [None] * len(scored.turn_rewards)
            return replace(scored, reward=None, turn_rewards=nothing)
        return scored


class ByChecks(Scoring):
    """Without a judge: items with an `ask` are left out."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    async def goes_on(self, trajectory: Trajectory) -> bool:
        turns = self._plan.instance.task.turns
        if not turns:  # a simulated user passes no gates: all items are of task scope
            return True
        turn = turns[len(trajectory.turns) - 1]
        if not any(item.strict for item in turn.items):
            return True
        return gate_open(turn, self._scored(trajectory).outcomes)

    async def score(self, rollout: Rollout) -> Scored:
        return self._scored(rollout.trajectory)

    def _scored(self, trajectory: Trajectory) -> Scored:
        return score_facts(self._plan, facts_of(trajectory))


class ByJudge(Scoring):
    """With a judge, which is asked about every turn as soon as that has ended."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    async def goes_on(self, trajectory: Trajectory) -> bool:
        if self._judging.gateless:
            return True
        self._judging.ended(trajectory)
        opened = await self._judging.gate()
        if isinstance(opened, Decision):
            raise JudgeFailure(opened.reason)
        return opened

    async def score(self, rollout: Rollout) -> Scored:
        if rollout.fault is not None:
            self._judging.withdraw()
        return await self._judging.scored(rollout.trajectory)
