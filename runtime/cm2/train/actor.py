"""The actor of a run, which plays its rollouts: the policy, what samples it, and the stage."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.judge.ledger import Cost
from cm2.recordings import read_recordings
from cm2.rollout.generator import Generator, Usage
from cm2.rollout.local import LocalGenerator
from cm2.rollout.policy import Policy, load_policy
from cm2.rollout.sampling import Sampling
from cm2.rollout.stage import Key, Played, Stage
from cm2.simulate.config import WorldSettings
from cm2.train.config import Config
from cm2.train.folder import MODEL, RunFolder
from cm2.train.policy import dtype_of, starting_policy
from cm2.train.ranks import Ranks
from cm2.train.split import Rows
from cm2.train.wire import shared
from cm2dsl.reward.instance import Instance


class Actor:
    """Once it is `prepared`, there are a `policy`, a `stage`, and a `generator` that counts what it
    does in `usage`; where vLLM samples, the generator is given to `sampled_by`."""

    policy: Policy
    generator: Generator

    def __init__(
        self,
        bundle: Bundle,
        config: Config,
        folder: RunFolder,
        judge: Judge | None,
        world: WorldSettings,
        ranks: Ranks,
    ) -> None:
        """`judge` and `world` as `cm2.train.run.train` has them."""
        self._bundle, self._config, self._folder = bundle, config, folder
        self._judge, self._world, self._ranks = judge, world, ranks
        self._stage: Stage | None = None
        self.usage = Usage()

    @property
    def stage(self) -> Stage:
        """Where rollouts are played."""
        assert self._stage is not None, "the actor is prepared before anything is played"
        return self._stage

    def prepare(self, rows: Rows, *, trained: bool) -> None:
        """Load the policy, the trained one or the one to start from, and set the stage.

        Raises RunError, and what the stage raises where it cannot be set.
        """
        bundle, config, folder = self._bundle, self._config, self._folder
        folder.write_folder("bundle", lambda path: shutil.copytree(bundle.path, path))
        recordings = read_recordings(bundle)
        if trained:
            self.policy = load_policy(folder.path / MODEL, bundle, dtype_of(config))
        else:
            training = {one.id for one in rows.training}
            self.policy = starting_policy(bundle, config, folder, recordings, training, self._ranks)
        self._stage = Stage(
            bundle,
            self.policy.codec,
            config.limits,
            recordings,
            self._judge,
            self._world.opened("user"),
            self._world.opened("llm"),
            self._world.servers,
        )
        self.stage.run(self.stage.ready())
        if config.generation.backend == "local":
            self.sampled_by(
                LocalGenerator(
                    self.policy.model,
                    ends=self.policy.ends,
                    pad=self.policy.codec.pad,
                    sampling=Sampling(**asdict(config.sampling)),
                )
            )

    def sampled_by(self, generator: Generator) -> None:
        """Have the policy's messages sampled by this."""
        self.generator = generator
        generator.usage = self.usage

    def close(self) -> None:
        """Let go of the models that play users and tools."""
        if self._stage is not None:
            self._stage.close()

    def costs(self) -> dict[str, Cost]:
        """What the judge and the models that play tools and users have cost so far."""
        spent: dict[str, Cost] = {}
        if self._judge is not None:
            spent["judge"] = self._judge.ledger.total
        if self._stage is not None:
            spent |= {str(who): cost for who, cost in self._stage.costs.items()}
        return spent

    def play(self, rows: Sequence[Instance], keys: Sequence[Key]) -> list[Played]:
        """A rollout and its score for each row: every process plays its part, and has them all."""
        return shared(
            lambda part: self.stage.play(rows[part], self.generator, keys[part]),
            [self._bundle.plan(row, self._judge is not None) for row in rows],
            self._ranks,
        )
