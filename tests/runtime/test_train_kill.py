"""A run that is killed at any moment, and started again, ends as one that was left alone.

Equal on a CPU: the rollouts to the byte, the weights to the bit, and every figure but those that
pass (talk.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from judge_models import byte_level, save
from talk import left, talk

RUNS = Path(__file__).with_name("killed_runs.py")


def killed(folder: Path, kills: int, seed: int, *words: Any) -> tuple[float, list[Any]]:
    """Train whole and killed; the seconds of the whole run, and what was killed when and where."""
    command = ["train", folder / "desk.cm2", "--config", folder / "run.toml", *words]
    done = subprocess.run(
        [sys.executable, *map(str, (RUNS, folder / "runs", kills, seed))],
        input=json.dumps([str(word) for word in command]),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    length, moments = json.loads(done.stdout.splitlines()[-1])
    return length, moments


def assert_equal_ends(folder: Path) -> None:
    whole = left(folder / "runs" / "whole")
    assert {"metrics.jsonl", "validation.jsonl", "rollouts.jsonl", "summary.json"} <= set(whole)
    rewards = [line["reward"] for line in whole["metrics.jsonl"]]
    assert len(set(rewards)) > 1, "a run in which nothing is learned shows nothing"
    runs = [path for path in (folder / "runs").iterdir() if path.name.isdigit()]
    assert runs
    for run in runs:
        again = left(run)
        assert set(again) == set(whole)
        for name, value in whole.items():
            assert again[name] == value, f"{run.name}/{name}"
        assert [mark.name for mark in (run / "checkpoints").glob("*/")] == ["trained"]


def test_a_run_that_is_killed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    talk(tmp_path)
    killed(tmp_path, 3, 1)
    assert_equal_ends(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tiny", "lora", "judge"])
def test_twenty_kills_at_any_moment_leave_no_trace(tmp_path: Path, kind: str) -> None:
    talk(tmp_path)
    more: list[Any] = ["--set", "steps=10"]
    if kind == "lora":
        more += ["--set", "lora.rank=4", "--set", "learning_rate=0.1"]
    if kind == "judge":
        judge = save(tmp_path / "judge", byte_level(), context=32_768)
        settings = f'engine = "transformers"\nmodel = "{judge}"\ncache = "answers.sqlite"\n'
        (tmp_path / "judge.toml").write_text(settings)
        more += ["--judge", tmp_path / "judge.toml"]
    length, moments = killed(tmp_path, 20, 2, *more)
    print(kind, length, len(moments), sorted(Counter(where for _, where in moments).items()))
    assert_equal_ends(tmp_path)
