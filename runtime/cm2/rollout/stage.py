"""Where rollouts are played: a bundle's tasks, its simulated tools, and its score."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.judging import Judging
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Episode, Limits, Rollout, play
from cm2.rollout.generator import Generator
from cm2.rollout.scoring import ByChecks, ByJudge, Scoring
from cm2.rollout.users import Script
from cm2.simulate.simulator import Simulator
from cm2.simulate.world import World
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

Key = Sequence[int]
"""What the noise of one rollout is drawn from; its name, too."""


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
        self._simulator = Simulator(
            spec.tools, spec.simulate, bundle.files, recordings, user_tools=spec.user_tools
        )
        self._judge = judge

    def play(
        self,
        instances: Sequence[Instance],
        generator: Generator,
        keys: Sequence[Key],
        concurrent: int | None = None,
    ) -> list[Played]:
        """One rollout for each instance, in order, at most `concurrent` at a time.

        Rollout i draws its noise from `keys[i]`, numbers that are not negative, and has them for
        its name: what it is does not depend on which others are played, nor on how many at once.
        Raises EngineError where the judge can decide nothing at all.
        """
        work = self._play(instances, generator, keys, concurrent)
        return asyncio.run(work) if self._judge is None else self._judge.run(work)

    async def _play(
        self,
        instances: Sequence[Instance],
        generator: Generator,
        keys: Sequence[Key],
        concurrent: int | None,
    ) -> list[Played]:
        free: AbstractAsyncContextManager[object] = (
            nullcontext() if concurrent is None else asyncio.Semaphore(concurrent)
        )

        async def one(instance: Instance, key: Key, group: asyncio.TaskGroup) -> _Ended:
            async with free:
                name = "-".join(map(str, key))
                scoring = self._scoring(instance, group)
                values = instance.row.values if instance.row is not None else None
                async with self._simulator.world(instance.id, values, name) as world:
                    episode = self._episode(name, instance, scoring, world)
                    with generator.open(np.random.default_rng(list(key))) as line:
                        rollout = await play(episode, self._codec, line, self._limits)
            # The others do not wait for its score.
            return rollout, group.create_task(scoring.end(rollout))

        async with generator, task_group() as group:
            playing = [
                group.create_task(one(instance, key, group))
                for instance, key in zip(instances, keys, strict=True)
            ]
        ended = [task.result() for task in playing]
        return [Played(rollout, score.result()) for rollout, score in ended]

    def _scoring(self, instance: Instance, group: asyncio.TaskGroup) -> Scoring:
        plan = self._bundle.plan(instance, self._judge is not None)
        if self._judge is None:
            return ByChecks(plan)
        return ByJudge(Judging(self._bundle, plan, self._judge, group, masks=True))

    def _episode(self, name: str, instance: Instance, scoring: Scoring, world: World) -> Episode:
        turns = instance.task.turns
        return Episode(
            id=name,
            task=instance.id,
            system=self._bundle.spec.system,
            user=Script([ir.fill(turn.user, instance.row) for turn in turns]),
            answer=world.answer,
            goes_on=scoring.goes_on,
            error=world.error,
        )
