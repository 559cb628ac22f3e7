"""Where rollouts are played: a bundle's tasks, its simulated tools, and its score."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from cm2.bundle import Bundle
from cm2.rollout.batch import Generate, Sampler, play_together
from cm2.rollout.codec import Codec
from cm2.rollout.dialogue import Episode, Limits, Rollout, play
from cm2.score import score
from cm2.simulate.simulator import Simulator
from cm2.train.config import Credit
from cm2.trajectory import Trajectory
from cm2dsl import ir
from cm2dsl.reward.card import Scored, gate_open
from cm2dsl.reward.credit import RolloutCredit, assign
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


class Stage:
    """Plays and scores rollouts of one spec. Raises SimulationError as `Simulator` does."""

    def __init__(
        self, bundle: Bundle, codec: Codec, limits: Limits, recordings: Sequence[Trajectory]
    ) -> None:
        spec = bundle.spec
        self._bundle = bundle
        self._codec = codec
        self._limits = limits
        self._simulator = Simulator(spec.tools, spec.simulate, bundle.files, recordings)

    def play(
        self, instances: Sequence[Instance], sampler: Sampler, seed: Sequence[int]
    ) -> list[Played]:
        """One rollout for each instance, in order; rollout i draws its noise from (*seed, i)."""

        def dialogue(index: int, instance: Instance) -> Any:
            name = "-".join(str(part) for part in (*seed, index))
            episode = self._episode(name, instance)
            noise = np.random.default_rng([*seed, index])

            def start(generate: Generate) -> Any:
                return play(episode, self._codec, generate, self._limits, noise)

            return start

        dialogues = [dialogue(i, instance) for i, instance in enumerate(instances)]
        rollouts: list[Rollout] = asyncio.run(play_together(dialogues, sampler))
        return [self._score(rollout) for rollout in rollouts]

    def _score(self, rollout: Rollout) -> Played:
        scored = score(self._bundle, rollout.trajectory)
        if rollout.fault is not None:
            scored = replace(scored, reward=None, turn_rewards=[None] * len(scored.turn_rewards))
        return Played(rollout, scored)

    def _episode(self, name: str, instance: Instance) -> Episode:
        turns = instance.task.turns
        values = instance.row.values if instance.row is not None else None
        world = self._simulator.world(instance.id, values)

        async def call_tool(tool: str, arguments: Mapping[str, Any] | None) -> str:
            return (await world.call(tool, arguments)).text

        def goes_on(trajectory: Trajectory) -> bool:
            turn = turns[len(trajectory.turns) - 1]
            if not any(item.strict for item in turn.items):
                return True
            return gate_open(turn, score(self._bundle, trajectory).outcomes)

        return Episode(
            id=name,
            task=instance.id,
            system=self._bundle.spec.system,
            users=[ir.fill(turn.user, instance.row) for turn in turns],
            call_tool=call_tool,
            goes_on=goes_on,
        )


def group_credit(group: Sequence[Played], options: Credit) -> list[RolloutCredit]:
    """The credit of the rollouts of one instance, in order.

    None in `options` means what the spec's `assign` says. A masked rollout is left out before
    anything is computed, and gets no credit.
    """
    kept = [one for one in group if not one.masked]
    credits: list[RolloutCredit] = []
    if kept:
        task, said = kept[0].scored.task, kept[0].scored.instance.task.assign
        credits = assign(
            task,
            [one.scored.verdicts for one in kept],
            level=options.level or said.level,
            scale=options.scale or said.scale,
            unreached=options.unreached or said.unreached,
            baseline=options.baseline,
            at=kept[0].scored.at,
        )
    found = iter(credits)
    return [_none(one) if one.masked else next(found) for one in group]


def _none(played: Played) -> RolloutCredit:
    turns = played.rollout.trajectory.turns
    return RolloutCredit(None, [], [[0.0] * len(turn.steps) for turn in turns])
