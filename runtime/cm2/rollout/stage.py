"""Where rollouts are played: a bundle's tasks, its simulated tools, and its score."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.judging import Judging
from cm2.rollout.batch import Sampler, Seat, play_together
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Episode, Limits, Rollout, play
from cm2.rollout.scoring import ByChecks, ByJudge, Scoring
from cm2.simulate.simulator import Simulator
from cm2.tasks import task_group
from cm2.trajectory import Trajectory
from cm2dsl import ir
from cm2dsl.reward.card import Scored
from cm2dsl.reward.instance import Instance


@dataclass(frozen=True, slots=True)
class Played:
    """A rollout and its score. `scored.reward` is None where the rollout is masked."""

    rollout: Rollout
    scored: Scored

    @property
    def masked(self) -> bool:
        """Whether something outside the policy broke: no reward, no advantage and no loss."""
        return self.rollout.fault is not None or self.scored.reward is None


_Ended = tuple[Rollout, "asyncio.Task[Scored]"]


class Stage:
    """Plays and scores rollouts of one spec. Raises SimulationError as `Simulator` does.

    With a judge, `ask` items count too, and what it is asked of one rollout it is asked while the
    others go on.
    """

    def __init__(
        self,
        bundle: Bundle,
        codec: Codec,
        limits: Limits,
        recordings: Sequence[Trajectory],
        judge: Judge | None = None,
    ) -> None:
        spec = bundle.spec
        self._bundle = bundle
        self._codec = codec
        self._limits = limits
        self._simulator = Simulator(spec.tools, spec.simulate, bundle.files, recordings)
        self._judge = judge

    def play(
        self, instances: Sequence[Instance], sampler: Sampler, seed: Sequence[int]
    ) -> list[Played]:
        """One rollout for each instance, in order; rollout i draws its noise from (*seed, i).

        Raises EngineError where the judge can decide nothing at all.
        """
        work = self._play(instances, sampler, seed)
        return asyncio.run(work) if self._judge is None else self._judge.run(work)

    async def _play(
        self, instances: Sequence[Instance], sampler: Sampler, seed: Sequence[int]
    ) -> list[Played]:
        async with task_group() as group:

            def dialogue(index: int, instance: Instance) -> Callable[[Seat], Awaitable[_Ended]]:
                name = "-".join(str(part) for part in (*seed, index))
                noise = np.random.default_rng([*seed, index])

                async def start(seat: Seat) -> _Ended:
                    scoring = self._scoring(instance, group)
                    episode = self._episode(name, instance, scoring, seat)
                    rollout = await play(episode, self._codec, seat.generate, self._limits, noise)
                    # The others do not wait for its score.
                    return rollout, group.create_task(scoring.end(rollout))

                return start

            dialogues = [dialogue(i, instance) for i, instance in enumerate(instances)]
            ended = await play_together(dialogues, sampler)
        return [Played(rollout, score.result()) for rollout, score in ended]

    def _scoring(self, instance: Instance, group: asyncio.TaskGroup) -> Scoring:
        plan = self._bundle.plan(instance, self._judge is not None)
        if self._judge is None:
            return ByChecks(plan)
        return ByJudge(Judging(self._bundle, plan, self._judge, group, masks=True))

    def _episode(self, name: str, instance: Instance, scoring: Scoring, seat: Seat) -> Episode:
        turns = instance.task.turns
        values = instance.row.values if instance.row is not None else None
        world = self._simulator.world(instance.id, values)

        async def call_tool(tool: str, arguments: Mapping[str, Any] | None) -> str:
            return (await world.call(tool, arguments)).text

        async def goes_on(trajectory: Trajectory) -> bool:
            return await scoring.goes_on(trajectory, seat)

        return Episode(
            id=name,
            task=instance.id,
            system=self._bundle.spec.system,
            users=[ir.fill(turn.user, instance.row) for turn in turns],
            call_tool=call_tool,
            goes_on=goes_on,
        )
