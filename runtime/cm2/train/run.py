"""A training run, top to bottom: policy, evaluation, GRPO, evaluation, model."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import PrinterCallback, set_seed

from cm2.bundle import Bundle
from cm2.judge.judge import Judge
from cm2.recordings import read_recordings
from cm2.rollout.local import LocalGenerator
from cm2.rollout.policy import Policy, load_policy
from cm2.rollout.report import record, summarise
from cm2.rollout.stage import Key, Played, Stage
from cm2.train.arguments import grpo_arguments
from cm2.train.checkpoint import TRAINED, Checkpoints, numbered
from cm2.train.config import Config
from cm2.train.credit import group_credit
from cm2.train.folder import METRICS, ROLLOUTS, SUMMARY, RunError, RunFolder, disk_full
from cm2.train.meter import Meter, total
from cm2.train.policy import cold_started
from cm2.train.ranks import Ranks
from cm2.train.trainer import ChecklistTrainer, columns
from cm2.train.watch import Watch
from cm2.trajectory import Trajectory
from cm2dsl.reward.instance import Instance, instances
from cm2dsl.reward.plan import credit_task


def train(bundle: Bundle, config: Config, out: Path, judge: Judge | None = None) -> dict[str, Any]:
    """Train on a spec, leave everything in the folder `out`, and return its summary.

    `judge` is the one that `config.judge` describes; without one, checks alone reward.

    Raises RunError, EpisodeError, SimulationError and ChatError; EngineError where the judge can
    decide nothing at all. What is in the folder then can be gone on with.

    Every process that a launcher started calls this with the same arguments. They play and learn
    together, the first one writes, and all return the summary.
    """
    ranks = Ranks()
    started = time.monotonic()
    training, heldout = split(bundle, judged=judge is not None)
    if len(training) < config.groups:
        raise RunError(
            f"a step plays {config.groups} rows, and the spec has {len(training)} to train on; "
            f"give --groups {len(training)} or less"
        )
    sources = {source.file: source.sha256 for source in bundle.spec.sources}
    told = {**asdict(config), "spec": bundle.spec.domain, "sources": sources}
    folder = RunFolder.shared(out, told, ranks)
    try:
        with disk_full(out):
            return _trained(bundle, config, folder, judge, ranks, training, heldout, started)
    finally:
        folder.close()


def _trained(
    bundle: Bundle,
    config: Config,
    folder: RunFolder,
    judge: Judge | None,
    ranks: Ranks,
    training: list[Instance],
    heldout: list[Instance],
    started: float,
) -> dict[str, Any]:
    folder.write_folder("bundle", lambda path: shutil.copytree(bundle.path, path))
    recordings = read_recordings(bundle)
    set_seed(config.seed)
    if config.tiny is not None:
        # Its matrices are too small to share: a second thread wins a seventh of the time on idle
        # cores, and loses tenfold on busy ones, where the threads wait for each other.
        torch.set_num_threads(1)

    checkpoints = Checkpoints(folder)
    mark = ranks.once(checkpoints.newest)
    ranks.once(lambda: checkpoints.go_back(mark))
    if mark is not None and mark.trained:
        policy = load_policy(folder.path / "model", bundle)
    else:
        policy = starting_policy(
            bundle, config, folder, recordings, {one.id for one in training}, ranks
        )
    stage = Stage(bundle, policy.codec, config.limits, recordings, judge)
    meter = Meter(judge, ranks)
    generator = LocalGenerator(policy.model, ends=policy.ends, pad=policy.codec.pad)

    def play(rows: list[Instance], keys: list[Key]) -> list[Played]:
        mine = ranks.share(len(rows))
        return ranks.gathered(lambda: stage.play(rows[mine], generator, keys[mine]))

    def evaluate(phase: str, step: int) -> dict[str, Any]:
        rows = [row for row in heldout or training for _ in range(config.samples)]
        chunks = range(0, len(rows), config.group * config.groups)
        played: list[Played] = []
        for start in tqdm(chunks, desc=f"evaluating {phase}", unit="batch"):
            some = rows[start : start + config.group * config.groups]
            played += play(some, [(config.seed, 0, start + i) for i in range(len(some))])
        folder.append(ROLLOUTS, (record(one, phase, step) for one in played))
        summary = {**summarise(played), **meter.read()}
        folder.write_json(f"{phase}.json", summary)
        return summary

    if mark is None:
        before = evaluate("before", 0)
        checkpoints.seal(numbered(0), 0)
    else:
        before = folder.read_json("before.json")

    watch = Watch(folder, config.steps, meter)
    by_id = {instance.id: instance for instance in training}

    def rollouts(prompts: list[str], trainer: ChecklistTrainer) -> dict[str, Any]:
        step = trainer.state.global_step + 1
        rows = [by_id[prompt] for prompt in ranks.gathered(lambda: prompts)]
        played = play(rows, [(config.seed, step, i) for i in range(len(rows))])
        credits = [
            credit
            for start in range(0, len(played), config.group)
            for credit in group_credit(played[start : start + config.group], config.credit)
        ]
        watch.saw(played, step)
        mine = ranks.share(len(rows))
        return columns(played[mine], credits[mine])

    trainer = ChecklistTrainer(
        model=policy.model,
        processing_class=policy.codec.tokenizer,
        args=grpo_arguments(config, folder.path),
        train_dataset=Dataset.from_dict({"prompt": list(by_id)}),
        rollout_func=rollouts,
        checkpoints=checkpoints,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    if mark is None or not mark.trained:
        checkpoints.restore(mark)
        trainer.train(resume_from_checkpoint=mark.weights if mark is not None else None)
        folder.write_folder("model", policy.save)
        checkpoints.seal(TRAINED, trainer.state.global_step)

    after = evaluate("after", config.steps)
    summary = {
        "before": before,
        "after": after,
        "seconds": round(time.monotonic() - started, 1),
        "heldout_rows": len(heldout),
        "samples_per_row": config.samples,
        **total([before or {}, *folder.lines(METRICS), after]),
    }
    folder.write_json(SUMMARY, summary)
    return summary


def split(bundle: Bundle, judged: bool = False) -> tuple[list[Instance], list[Instance]]:
    """(training, held-out) instances of the tasks that can be rewarded.

    Those are all with an item, where there is a judge; else those where checks alone can.
    Raises RunError where there is nothing to train on.
    """
    simulated = next((one.name for one in bundle.spec.tasks if one.simulated is not None), None)
    if simulated is not None:
        raise RunError(
            f"the user of task `{simulated}` is simulated, and training plays scripted turns "
            "alone; `cm2 score` scores such tasks"
        )
    usable = [one for one in instances(bundle.spec) if credit_task(one.task, judged)[1]]
    training = [one for one in usable if one.split == "train"]
    if not training and judged:
        raise RunError(
            f"no task of `{bundle.spec.domain}` has a training row and an item to reward"
        )
    if not training:
        raise RunError(
            f"no task of `{bundle.spec.domain}` has a training row and an item that a `check` "
            "decides; without a judge there is nothing to reward: name one with --judge"
        )
    return training, [one for one in usable if one.split == "heldout"]


def starting_policy(
    bundle: Bundle,
    config: Config,
    folder: RunFolder,
    recordings: list[Trajectory],
    training: set[str],
    ranks: Ranks,
) -> Policy:
    """The model that was asked for, or a tiny one cold-started on recordings of training rows: by
    the first rank, while the others wait for it."""
    cold = folder.path / "cold"
    if config.tiny is None:
        assert config.model is not None
        if not (Path(config.model) / "config.json").is_file():
            raise RunError(
                f"`{config.model}` has no config.json; "
                "give the directory of a model saved by transformers"
            )
        try:
            return load_policy(config.model, bundle)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"`{config.model}` cannot be loaded as a policy: {reason}") from error

    def start_cold() -> None:
        if cold.exists():
            return
        seen = [recording for recording in recordings if recording.task in training]
        if not seen:
            raise RunError(
                "the tasks name no `reference` with recordings of training rows, "
                "so no policy can be cold-started; give one with --model"
            )
        with tqdm(total=config.tiny.steps, desc="cold start", unit="batch") as bar:

            def on_step(_: int, loss: float) -> None:
                bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
                bar.update()

            policy = cold_started(
                bundle,
                seen,
                config.tiny,
                positions=config.limits.tokens,
                seed=config.seed,
                on_step=on_step,
            )
        folder.write_folder("cold", policy.save)

    ranks.once(start_cold)
    return load_policy(cold, bundle)
