"""Where rollouts are played: a bundle's tasks, its simulated tools, and its score."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import numpy as np

from cm2.bundle import Bundle
from cm2.judge import interruptible
from cm2.judge.asking import Asker
from cm2.judge.judge import Judge
from cm2.judge.ledger import Cost
from cm2.judging import Judging
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Episode, Limits, Rollout, play
from cm2.rollout.generator import Generator
from cm2.rollout.scoring import ByChecks, ByJudge, Scoring
from cm2.rollout.simulated_user import Players, SimulatedUser
from cm2.rollout.users import Recorded, Script, User
from cm2.simulate.backend import SimulationError
from cm2.simulate.config import Part
from cm2.simulate.mcp_session import Connector
from cm2.simulate.simulator import Simulator
from cm2.simulate.world import World
from cm2.tasks import task_group
from cm2.trajectory import Trajectory
from cm2dsl import ir
from cm2dsl.reward.card import Scored
from cm2dsl.reward.instance import Instance


@dataclass(frozen=True, slots=True)
class Played:
    """A rollout and its score.

    `scored.reward` is None where the rollout is masked, and where it reached no turn that counts.
    """

    rollout: Rollout
    scored: Scored

    @property
    def masked(self) -> bool:
        """Whether something outside the policy broke: no reward, no advantage and no loss."""
        return self.rollout.fault is not None or self.scored.error


T = TypeVar("T")
P = ParamSpec("P")

Ended = Callable[[int, Played], None]
"""Is told the number of a rollout that is over, and what came of it."""

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
        user: Asker | None = None,
        llm: Asker | None = None,
        servers: Mapping[str, Connector] | None = None,
    ) -> None:
        """`user` is the model that plays the users who are simulated, `llm` that of the backend
        `llm`, and `servers` are the MCP servers that the spec names; nothing that they play can be
        played without them.

        `waited` counts the seconds that dialogues waited, by what for: `tools` and, at the
        gates, `judge`. They are those of all dialogues together, which wait at the same time.
        """
        self.waited: dict[str, float] = {}
        spec = bundle.spec
        self._bundle = bundle
        self._codec = codec
        self._limits = replace(limits, malformed=limits.malformed or spec.malformed)
        self._simulator = Simulator(
            spec.tools,
            spec.simulate,
            bundle.files,
            recordings,
            user_tools=spec.user_tools,
            allow_python=bundle.allow_python,
            origin=bundle.origin,
            llm=llm,
            servers=servers,
            examples=[one for one in recordings if not _held_out(bundle, one.task)],
        )
        self._llm = llm
        self._judge = judge
        self._players = None if user is None else Players(user, spec.user_tools)
        self._recorded = {(one.task, one.id): one for one in recordings}
        self._runner: asyncio.Runner | None = None

    def play(
        self,
        instances: Sequence[Instance],
        generator: Generator,
        keys: Sequence[Key],
        concurrent: int | None = None,
        ended: Ended | None = None,
    ) -> list[Played]:
        """One rollout for each instance, in order, at most `concurrent` at a time.

        Rollout i draws its noise from `keys[i]`, numbers that are not negative, and has them for
        its name: what it is does not depend on which others are played, nor on how many at once.
        `ended` is told of each as soon as it is scored, in any order. Raises EngineError where the
        judge, or what plays the user, can answer nothing at all; an interrupt ends it in order.
        """
        return self.run(self._play(instances, generator, keys, concurrent, ended))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do asynchronous work on the loop that rollouts are played on: the judge's, if any."""
        if self._judge is not None:
            return self._judge.run(work)
        if self._runner is None:
            self._runner = asyncio.Runner()
        return interruptible.run(self._runner, work)

    def close(self) -> None:
        """Let go of the models that play, and of the loop. The judge is its owner's."""
        for asker in self._askers().values():
            self.run(asker.close())
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    async def ready(self) -> None:
        """See that the models that play can be asked. Raises EngineError where one cannot."""
        for asker in self._askers().values():
            await asker.ready()

    @property
    def costs(self) -> Mapping[Part, Cost]:
        """What the models that play took so far."""
        return {part: asker.ledger.total for part, asker in self._askers().items()}

    def _askers(self) -> dict[Part, Asker]:
        askers: dict[Part, Asker] = {}
        if self._llm is not None:
            askers["llm"] = self._llm
        if self._players is not None:
            askers["user"] = self._players.asker
        return askers

    async def _play(
        self,
        instances: Sequence[Instance],
        generator: Generator,
        keys: Sequence[Key],
        concurrent: int | None,
        ended: Ended | None,
    ) -> list[Played]:
        free: AbstractAsyncContextManager[object] = (
            nullcontext() if concurrent is None else asyncio.Semaphore(concurrent)
        )

        async def one(
            number: int, instance: Instance, key: Key, group: asyncio.TaskGroup
        ) -> asyncio.Task[Played]:
            async with free:
                name = "-".join(map(str, key))
                scoring = self._scoring(instance, group)
                values = instance.row.values if instance.row is not None else None
                async with self._simulator.world(instance.id, values, name) as world:
                    episode = self._episode(name, instance, scoring, world)
                    with generator.open(np.random.default_rng(list(key))) as line:
                        rollout = await play(episode, self._codec, line, self._limits)
            # The others do not wait for its score.
            return group.create_task(score(number, rollout, scoring))

        async def score(number: int, rollout: Rollout, scoring: Scoring) -> Played:
            played = Played(rollout, await scoring.end(rollout))
            if ended is not None:
                ended(number, played)
            return played

        async with generator, task_group() as group:
            playing = [
                group.create_task(one(number, instance, key, group))
                for number, (instance, key) in enumerate(zip(instances, keys, strict=True))
            ]
        return [task.result().result() for task in playing]

    def _scoring(self, instance: Instance, group: asyncio.TaskGroup) -> Scoring:
        plan = self._bundle.plan(instance, self._judge is not None)
        if self._judge is None:
            return ByChecks(plan)
        return ByJudge(Judging(self._bundle, plan, self._judge, group, masks=True))

    def _episode(self, name: str, instance: Instance, scoring: Scoring, world: World) -> Episode:
        return Episode(
            id=name,
            task=instance.id,
            system=self._bundle.spec.system,
            user=self._user(name, instance, world),
            answer=self._timed("tools", world.answer),
            goes_on=self._timed("judge", scoring.goes_on),
            error=world.error,
        )

    def _timed(self, name: str, ask: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """What asks, counting how long it takes."""

        async def asked(*given: P.args, **named: P.kwargs) -> T:
            before = perf_counter()
            try:
                return await ask(*given, **named)
            finally:
                self.waited[name] = self.waited.get(name, 0.0) + perf_counter() - before

        return asked

    def _user(self, name: str, instance: Instance, world: World) -> User:
        task, row = instance.task, instance.row
        if task.simulated is None:
            return Script([ir.fill(turn.user, row) for turn in task.turns])
        answer = self._timed("tools", partial(world.answer, requestor="user"))
        recording = self._recorded.get((instance.id, name))
        model = None
        if self._players is not None:
            told = ir.fill(task.simulated, row)
            model = SimulatedUser(self._players, told, name, f"{task.name}.user", answer)
        if recording is not None:
            return Recorded(recording, answer, model)
        if model is None:
            raise SimulationError(
                f"the user of task `{task.name}` is simulated, and no model plays it; "
                "name one in the table [user] of a file for --world"
            )
        return model


def _held_out(bundle: Bundle, task: str) -> bool:
    """Whether a task is one of the rows that nothing is learnt from: no model is shown theirs."""
    instance = bundle.by_id.get(task)
    return instance is not None and instance.split == "heldout"
