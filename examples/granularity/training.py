"""One run of the study: the policy that all runs of a seed start from, and GRPO under noise."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from arms import CHECKS, HERE, SPEC, Arm, Size

from cm2.bundle import open_spec
from cm2.judge import Context, open_judge
from cm2.recordings import read_recordings
from cm2.rollout.dialogue import Limits
from cm2.train.config import Config, Credit, Tiny
from cm2.train.folder import SUMMARY
from cm2.train.policy import cold_started
from cm2.train.run import train

LIMITS = Limits(steps=4, step_tokens=24, tokens=320)
"""The longest turn of a good dialogue has three steps, its longest message 16 tokens."""


def cold_start(seed: int, size: Size, folder: Path) -> None:
    """A tiny policy trained on the recordings, saved in `folder`; one that is there is kept."""
    if folder.exists():
        return
    bundle = open_spec(SPEC, allow_python=True)
    policy = cold_started(
        bundle,
        read_recordings(bundle),
        Tiny(steps=size.cold_steps),
        positions=LIMITS.tokens,
        seed=seed,
        on_step=lambda step, loss: None,
    )
    beside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    policy.save(beside)
    beside.replace(folder)


def run(arm: Arm, size: Size, cold: Path, folder: Path) -> None:
    """Train as the arm says, from the policy in `cold`; one that was interrupted goes on."""
    if (folder / SUMMARY).exists():
        return
    bundle = open_spec(SPEC, allow_python=True)
    settings = judge_settings(arm)
    config = Config(
        model=str(cold),
        seed=arm.seed,
        steps=size.steps,
        group=arm.group,
        groups=size.rollouts // arm.group,
        learning_rate=arm.rate,
        micro_batch=size.rollouts,
        schedule="constant",  # one that goes down hides what would have come
        checkpoint_every=12,
        samples=size.samples,
        credit=Credit(level=arm.level),
        limits=LIMITS,
        judge=settings,
    )
    with open_judge(settings, Context(bundle.prompts, HERE)) as judge:
        train(bundle, config, folder, judge)


def judge_settings(arm: Arm) -> dict[str, Any]:
    """The exact judge behind noise. Runs of a seed have the same noise on the same dialogue."""
    return {
        "engine": "noisy",
        "false_positive": arm.noise,
        "false_negative": arm.noise,
        "seed": arm.seed,
        "of": {"engine": "checks", "spec": CHECKS.name},
    }
