"""A training run, top to bottom: policy, evaluation, GRPO, evaluation, model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import PrinterCallback, set_seed
from transformers.integrations import TensorBoardCallback

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.rollout.local import LocalGenerator
from cm2.rollout.policy import Policy
from cm2.rollout.report import record, summarise
from cm2.rollout.stage import Played
from cm2.simulate.config import NO_SETTINGS, WorldSettings
from cm2.train.actor import Actor
from cm2.train.arguments import grpo_arguments, passes_of, updates_of
from cm2.train.checkpoint import TRAINED, Checkpoints, Mark, numbered
from cm2.train.clock import Clock
from cm2.train.config import Config
from cm2.train.credit import assigned
from cm2.train.folder import METRICS, MODEL, ROLLOUTS, SUMMARY, RunError, RunFolder, disk_full
from cm2.train.generation import (
    Engine,
    Syncer,
    TrlSyncer,
    arguments_of,
    awake,
    engine_of,
    see_generation,
    starting,
)
from cm2.train.meter import Meter, total
from cm2.train.outage import Outage, see_scored
from cm2.train.ranks import Ranks
from cm2.train.rows import RowSampler
from cm2.train.split import Rows, split
from cm2.train.step import play_step
from cm2.train.trainer import ChecklistTrainer, columns
from cm2.train.validation import VALIDATION, Validator, divided, keep_best
from cm2.train.vllm import LOCAL
from cm2.train.watch import Watch
from cm2.train.weights import adapter, load_weights, merge
from cm2.train.whole import Gathered, Whole, see_divided
from cm2dsl.reward.instance import Instance

ADAPTER = "adapter"


def train(
    bundle: Bundle,
    config: Config,
    out: Path,
    judge: Judge | None = None,
    world: WorldSettings = NO_SETTINGS,
    syncer: Syncer | None = None,
) -> dict[str, Any]:
    """Train on a spec, leave everything in the folder `out`, and return its summary.

    `judge` is the one that `config.judge` describes; without one, checks alone reward. `world` says
    who plays tools and users, as `config.world` does. `syncer` is how an engine that samples gets
    the weights; TRL's way, unless another is given.

    Raises RunError, EpisodeError, SimulationError and ChatError; EngineError where the judge can
    decide nothing at all, and OutageError where no rollout counts any more. What is in the folder
    then can be gone on with.

    Every process that a launcher started calls this with the same arguments. They play and learn
    together, the first one writes, and all return the summary.
    """
    if see_divided() and config.generation.backend != "local":
        raise RunError(
            "vLLM is given whole weights, and FSDP 2 divides them among the processes; launch it "
            f"with a configuration that leaves them whole, as DDP and ZeRO-2 do, {LOCAL}"
        )
    ranks, how = Ranks(), syncer or TrlSyncer()
    ranks.together(lambda: see_generation(config, how))
    bundle = assigned(bundle, config.credit)
    training, heldout = split(bundle, judged=judge is not None)
    if len(training) < config.groups:
        raise RunError(
            f"a step plays {config.groups} rows, and the spec has {len(training)} to train on; "
            f"give --groups {len(training)} or less"
        )
    if config.credit.min_group > config.group:
        raise RunError(
            f"`credit.min_group` is {config.credit.min_group}, and a group has {config.group} "
            "rollouts: none would teach anything"
        )
    passes_of(config, ranks.count)  # whether a step can be shared is known before it is played
    rows = Rows(training, *divided(heldout, config.validation))
    sources = {source.file: source.sha256 for source in bundle.spec.sources}
    told = {**asdict(config), "spec": bundle.spec.domain, "sources": sources}
    folder = RunFolder.shared(out, told, ranks)
    try:
        with disk_full(out):
            actor = Actor(bundle, config, folder, judge, world, ranks)
            run = _Run(actor, config, folder, ranks, rows, how)
            try:
                return run.whole()
            finally:
                actor.close()
    finally:
        folder.close()


class _Run:
    """One run in its folder, from `whole` on."""

    def __init__(
        self,
        actor: Actor,
        config: Config,
        folder: RunFolder,
        ranks: Ranks,
        rows: Rows,
        syncer: Syncer,
    ) -> None:
        self.actor, self.config, self.folder = actor, config, folder
        self.ranks, self.rows, self.syncer = ranks, rows, syncer
        self.engine: Engine | None = None
        self.trainer: ChecklistTrainer | None = None
        self.by_id = {one.id: one for one in rows.training}
        self.clock, self.meter = Clock(), Meter(actor.costs, ranks)
        self.checkpoints = Checkpoints(folder)
        self.outage = Outage()

    def whole(self) -> dict[str, Any]:
        """Everything, in order; what is done already is not done again."""
        started = time.monotonic()
        config, folder, ranks = self.config, self.folder, self.ranks
        set_seed(config.seed)
        if config.tiny is not None:
            # Its matrices are too small to share: a second thread wins a seventh of the time on
            # idle cores, and loses tenfold on busy ones, where the threads wait for each other.
            torch.set_num_threads(1)
        mark = ranks.once(self.checkpoints.newest)
        ranks.once(lambda: self.checkpoints.go_back(mark))
        trained = mark is not None and mark.trained

        self.actor.prepare(self.rows, trained=trained)
        self.policy = self.actor.policy
        self.weights = Whole(self.policy.model)
        if config.generation.backend != "local":
            self._start_engine(trained)
        before: Any
        if mark is None:
            before = self.report("before", 0)
            self.checkpoints.seal(numbered(0), 0)
        else:
            before = folder.read_json("before.json")
        if not trained:
            self.learn(mark)
        done = folder.lines(METRICS)
        after = self.report("after", done[-1]["step"] if done else 0)

        validations = folder.lines(VALIDATION)
        keep_best(folder, {line["best_step"] for line in validations[-1:]})
        best = validations[-1]["best_step"] if validations and config.keep == "best" else None
        summary = {
            "before": before,
            "after": after,
            "seconds": round(time.monotonic() - started, 1),
            "heldout_rows": len(self.rows.heldout),
            "validation_rows": len(self.rows.validation),
            "samples_per_row": config.samples,
            "steps": len(done),
            "kept_step": len(done) if best is None else best,
            **total([before or {}, *done, *validations, after]),
        }
        folder.write_json(SUMMARY, summary)
        return summary

    # --- GRPO: rollout, judge, credit, and TRL's update -------------------------------------------

    def learn(self, mark: Mark | None) -> None:
        """Train from a mark on, and write the policy that is kept."""
        config, folder, policy = self.config, self.folder, self.policy
        trainer = self.trainer or self._new_trainer(adapted=config.lora is not None)
        validator = self.validator
        learning = trainer.accelerator.unwrap_model(trainer.model)
        gathers = trainer.accelerator.is_fsdp2
        self.weights = Gathered(learning, self.clock) if gathers else Whole(learning)
        if isinstance(self.actor.generator, LocalGenerator):
            self.actor.generator.model = self.weights.plays
        kept = Policy(self.weights.model, policy.codec)

        def keep(name: str) -> None:
            with self.weights.here():
                folder.write_folder(name, kept.save)

        validator.keep = keep
        self.checkpoints.parts |= {"rows": self.sampler, "validation": validator}
        self.checkpoints.restore(mark)
        try:
            trainer.train(resume_from_checkpoint=mark.weights if mark is not None else None)
        finally:
            self.watch.close()

        self.weights.stay()
        if validator.best is not None and config.keep == "best":
            load_weights(kept.model, validator.best)
        if config.lora is not None and config.lora.merge:
            folder.write_folder(ADAPTER, kept.save)
            adapted, tokenizer = folder.path / ADAPTER, policy.codec.tokenizer
            folder.write_folder(MODEL, lambda path: merge(adapted, tokenizer, path))
        else:
            folder.write_folder(MODEL, kept.save)
        self.checkpoints.seal(TRAINED, trainer.state.global_step)

    def _new_trainer(self, *, adapted: bool) -> ChecklistTrainer:
        """TRL's trainer of the policy, with an adapter or without, and what watches it."""
        config, folder, policy = self.config, self.folder, self.policy
        self.sampler = RowSampler(list(self.by_id), config.rows.draw, config.seed)
        usage, waited = self.actor.usage, self.actor.stage.waited
        self.watch = Watch(folder, config.steps, self.meter, self.clock, usage, waited)
        self.validator = Validator(folder, config, self.watch, self.validate)
        trainer = ChecklistTrainer(
            model=policy.model,
            processing_class=policy.codec.tokenizer,
            args=grpo_arguments(config, folder.path, arguments_of(config, self.syncer)),
            # A prompt is a place in the step: the row that is played in it is drawn when it is.
            train_dataset=Dataset.from_dict({"prompt": [str(i) for i in range(config.groups)]}),
            rollout_func=self.rollouts,
            peft_config=adapter(config.lora, policy.model) if adapted and config.lora else None,
            checkpoints=self.checkpoints,
            figures=self.watch.figures,
            truncate=config.truncate,
            callbacks=[self.validator, self.watch],
        )
        trainer.remove_callback(PrinterCallback)
        for one in trainer.callback_handler.callbacks:
            if isinstance(one, TensorBoardCallback) and one.logging_dir is None:
                one.logging_dir = str(folder.path / "tensorboard")
        return trainer

    def _start_engine(self, trained: bool) -> None:
        """Have the trainer start what samples. It comes first, for evaluations sample so, too.

        Raises RunError where it does not start.
        """
        adapted = self.config.lora is not None and not trained
        with starting(self.config):
            self.trainer = self._new_trainer(adapted=adapted)
            self.engine = engine_of(self.config, self.policy, self.trainer, self.syncer, self.ranks)
        self.actor.sampled_by(self.engine.generator)

    def rollouts(self, prompts: list[str], trainer: ChecklistTrainer) -> dict[str, Any]:
        """What a step learns from, as TRL wants it: this process's part."""
        number = trainer.state.global_step // updates_of(self.config) + 1

        def play_rows(rows: Sequence[str], first: int) -> list[Played]:
            keys = [(self.config.seed, number, first + i) for i in range(len(rows))]
            with self.clock.phase("play"):
                return self.actor.play([self.by_id[row] for row in rows], keys)

        with (
            self.clock.phase("credit"),
            self.weights.here(),
            awake(self.engine, self.ranks, self.clock),
        ):
            step = play_step(number, self.config, self.sampler, play_rows)
        self.watch.saw(step, number)
        self.outage.saw(step.all_played)
        mine = self.ranks.share(len(step.played))
        return columns(step.played[mine], step.credit[mine])

    # --- evaluation -------------------------------------------------------------------------------

    def report(self, phase: str, step: int) -> dict[str, Any]:
        """How good the policy is before or after training, as a file and as a value."""
        played = self._played(phase, self.rows.reported, self.config.samples)
        see_scored(phase, played)
        summary = self._told(phase, step, played)
        self.folder.write_json(f"{phase}.json", summary)
        return summary

    def validate(self, step: int) -> dict[str, Any]:
        """How good it is after a step, on rows of validation's own."""
        with self.clock.phase("validation"), self.weights.here():
            samples = self.config.validation.samples
            # A policy that is chosen by its luck must not meet the same luck in the table.
            first = len(self.rows.reported) * self.config.samples
            played = self._played("validation", self.rows.validation, samples, first)
            return self._told("validation", step, played)

    def _played(
        self, phase: str, rows: Sequence[Instance], samples: int, first: int = 0
    ) -> list[Played]:
        """The dialogues of an evaluation; the noise of each is drawn by its number, from `first`
        on."""
        wanted = [row for row in rows for _ in range(samples)]
        size = self.config.group * self.config.groups
        played: list[Played] = []
        chunks = range(0, len(wanted), size)
        bar = tqdm(chunks, desc=f"evaluating {phase}", unit="batch")
        with awake(self.engine, self.ranks, self.clock), bar:
            for start in bar:
                part = wanted[start : start + size]
                keys = [(self.config.seed, 0, first + start + i) for i in range(len(part))]
                played += self.actor.play(part, keys)
        return played

    def _told(self, phase: str, step: int, played: Sequence[Played]) -> dict[str, Any]:
        """What an evaluation came to; its dialogues are written down."""
        self.folder.append(ROLLOUTS, (record(one, phase, step) for one in played))
        return {**summarise(played), **self.meter.read()}
