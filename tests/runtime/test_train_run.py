"""Facts about whole runs of `cm2 train`, as a process: short ones, on the shipped airline spec."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rollout_doubles import desk
from transformers import AutoModelForCausalLM, AutoTokenizer

from cm2.bundle import open_spec
from cm2.rollout.dialogue import Limits
from cm2.rollout.stage import Stage
from cm2.train.config import DEMONSTRATION, Config
from cm2.train.folder import RunError
from cm2.train.run import train
from cm2.train.split import split
from cm2dsl.reward.instance import instances

SPEC = Path(__file__).parents[2] / "specs" / "airline.cm2"
SHORT = replace(
    DEMONSTRATION,
    steps=3,
    group=8,
    groups=4,
    micro_batch=32,
    samples=1,
    limits=Limits(steps=2, step_tokens=24, tokens=512),
    checkpoint_every=2,
    tiny=replace(DEMONSTRATION.tiny, hidden=16, steps=3),
)


def cm2(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from cm2.cli import main; main()", "train", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def bundle():
    return open_spec(SPEC, allow_python=True)


@pytest.fixture(scope="module")
def run(bundle, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    train(bundle, SHORT, out)
    return out


@pytest.mark.slow
def test_a_run_folder_holds_the_whole_run(run, bundle):
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    assert summary["heldout_rows"] == sum(one.split == "heldout" for one in instances(bundle.spec))
    assert set(summary["before"]["tasks"]) == {task.name for task in bundle.spec.tasks}
    assert summary["before"]["rollouts"] == summary["after"]["rollouts"] == summary["heldout_rows"]
    metrics = lines(run / "metrics.jsonl")
    assert [line["step"] for line in metrics] == [1, 2, 3]
    assert all({"reward", "items", "seconds", "tokens"} <= line.keys() for line in metrics)
    rollouts = lines(run / "rollouts.jsonl")
    assert sum(line["phase"] == "train" for line in rollouts) == 96
    assert all({"messages", "items", "reward", "stop"} <= line.keys() for line in rollouts)
    assert open_spec(run / "bundle").spec == bundle.spec
    AutoModelForCausalLM.from_pretrained(run / "model")
    AutoTokenizer.from_pretrained(run / "model")


@pytest.mark.slow
def test_training_never_plays_a_held_out_row(run, bundle):
    heldout = {one.id for one in instances(bundle.spec) if one.split == "heldout"}
    played = lines(run / "rollouts.jsonl")
    assert not {line["task"] for line in played if line["phase"] == "train"} & heldout
    assert {line["task"] for line in played if line["phase"] != "train"} == heldout


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_to_the_same_end(run, bundle, tmp_path, monkeypatch):
    again = tmp_path / "run"
    played = Stage.play

    def power_cut(self: Stage, rows: Any, generator: Any, keys: Any) -> Any:
        if keys[0][1] == 3:
            raise KeyboardInterrupt
        return played(self, rows, generator, keys)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "play", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(bundle, SHORT, again)
    assert [path.name for path in again.glob("checkpoints/checkpoint-*")] == ["checkpoint-2"]
    train(bundle, SHORT, again)

    def shown(folder: Path) -> list[tuple[Any, ...]]:
        return [
            (line["step"], line["reward"], line["tokens"])
            for line in lines(folder / "metrics.jsonl")
        ]

    assert shown(again) == shown(run)
    before, after = (json.loads((f / "summary.json").read_text("utf-8")) for f in (run, again))
    assert before["after"] == after["after"]


@pytest.mark.slow
def test_the_command_trains_a_model_directory_and_ends_in_a_table(run, tmp_path):
    spec = tmp_path / "desk.cm2"
    desk(tmp_path)
    options = ["--steps", 1, "--group", 2, "--groups", 1, "--level", "step"]
    options += ["--allow-python", "--out", tmp_path / "run"]
    done = cm2(spec, "--model", run / "model", *options)
    assert done.returncode == 0, done.stderr
    assert "before  after  change" in done.stdout
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["credit"]["level"] == "step"


def test_a_finished_run_is_not_overwritten(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    done = cm2(SPEC, "--allow-python", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: `{tmp_path / 'run'}` exists and is not empty, and is no run folder; "
        "choose another --out"
    )


def test_a_spec_without_recordings_needs_a_model(tmp_path):
    with pytest.raises(RunError, match="give one with --model"):
        train(desk(tmp_path), replace(SHORT, groups=1), tmp_path / "run")


def test_a_step_cannot_play_more_rows_than_there_are(tmp_path):
    with pytest.raises(RunError, match="plays 4 rows, and the spec has 1 to train on"):
        train(desk(tmp_path), SHORT, tmp_path / "run")


def test_a_step_that_cannot_be_shared_is_refused_before_anything_is_built(bundle, tmp_path):
    with pytest.raises(RunError, match="`micro_batch` 3 does not divide the 8 rollouts"):
        train(bundle, Config(group=4, groups=2, micro_batch=3), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_task_that_only_a_judge_can_reward_is_not_trained_on(tmp_path):
    bundle = desk(tmp_path)
    task = bundle.spec.tasks[0]
    asked = tuple(
        msgspec.structs.replace(
            turn, items=tuple(msgspec.structs.replace(item, ask=("?",)) for item in turn.items)
        )
        for turn in task.turns
    )
    spec = msgspec.structs.replace(bundle.spec, tasks=(msgspec.structs.replace(task, turns=asked),))
    with pytest.raises(RunError, match="nothing to reward"):
        split(replace(bundle, spec=spec))


def test_the_defaults_of_the_demonstration_are_consistent():
    for config in (DEMONSTRATION, Config(model="x")):
        assert config.group * config.groups % config.micro_batch == 0
