"""Several processes train as one does: the same rollouts, credited in whole groups, one voice."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from judge_models import byte_level, save
from talk import left, lines, talk
from transformers import AutoModelForCausalLM

from cm2.train.arguments import passes_of
from cm2.train.config import Config
from cm2.train.folder import RunError
from cm2.train.ranks import Ranks

OPTIONS = ("--set", "checkpoint_every=2", "--set", "steps=3")
FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
}
"""What `accelerate launch` says to a process about weights that are divided."""


def launched(
    folder: Path,
    out: str,
    processes: int,
    *more: str,
    breaks: str | None = None,
    said: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A run under torch's launcher, in an environment that says more; alone, it is started as
    anybody would."""
    start = [sys.executable]
    if processes > 1:
        launch = ["-m", "torch.distributed.run", "--standalone"]
        start += [*launch, "--nproc_per_node", str(processes)]
    (folder / f"{out}.steps").mkdir(exist_ok=True)
    command = [str(Path(__file__).with_name("rank_run.py")), str(folder / f"{out}.steps")]
    command += ["train", str(folder / "desk.cm2"), "--config", str(folder / "run.toml")]
    return subprocess.run(
        [*start, *command, *OPTIONS, *more, "--out", str(folder / out)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            **(said or {}),
            **({"BREAK": breaks} if breaks is not None else {}),
        },
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of one process, one of two, and one of two that divide the weights."""
    folder = tmp_path_factory.mktemp("ranks")
    talk(folder)
    for run, processes, said in (("1", 1, None), ("2", 2, None), ("divided", 2, FSDP)):
        done = launched(folder, run, processes, said=said)
        assert done.returncode == 0, done.stderr
        (folder / f"{run}.said").write_text(done.stdout)
    return folder


def advantages(folder: Path, run: str) -> list[list[list[float]]]:
    """By step and rollout, all processes' in their order."""
    files = sorted((folder / f"{run}.steps").glob("*.jsonl"))
    assert len(files) == (1 if run == "1" else 2)
    return [[row for part in step for row in part] for step in zip(*map(lines, files), strict=True)]


@pytest.mark.parametrize(("run", "least", "most"), [("2", 1.0, 1.0), ("divided", 0.4, 0.6)])
def test_weights_are_divided_where_the_launcher_says_so(
    folder: Path, run: str, least: float, most: float
) -> None:
    for rank in range(2):
        assert least <= float((folder / f"{run}.steps" / f"{rank}.share").read_text()) <= most


@pytest.mark.parametrize("run", ["2", "divided"])
def test_advantages_are_those_of_one_process(folder: Path, run: str) -> None:
    alone, both = advantages(folder, "1"), advantages(folder, run)
    assert any(value for step in alone for row in step for value in row)
    assert both == alone


@pytest.mark.parametrize("run", ["2", "divided"])
def test_rollouts_are_those_of_one_process_and_stand_in_their_order(folder: Path, run: str) -> None:
    alone, both = (folder / name / "rollouts.jsonl" for name in ("1", run))
    assert both.read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("run", ["2", "divided"])
def test_figures_are_those_of_one_process_but_for_rounding(folder: Path, run: str) -> None:
    alone, both = left(folder / "1"), left(folder / run)
    assert set(alone) == set(both)
    assert {line["masked"] for line in alone["metrics.jsonl"]} == {2}  # both of the first process
    assert alone["validation.jsonl"] == both["validation.jsonl"]
    for one, two in zip(alone["metrics.jsonl"], both["metrics.jsonl"], strict=True):
        assert set(one) == set(two)
        for name, value in one.items():
            if name == "entropy":  # TRL's mean of means over passes, which are others
                continue
            if isinstance(value, float):
                assert two[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
            else:
                assert two[name] == value, name


@pytest.mark.parametrize("run", ["2", "divided"])
def test_the_model_is_that_of_one_process_but_for_rounding(folder: Path, run: str) -> None:
    for name in ("model", "best-2"):
        alone, both = (
            AutoModelForCausalLM.from_pretrained(folder / which / name).state_dict()
            for which in ("1", run)
        )
        assert set(alone) == set(both)
        for weights, values in alone.items():
            torch.testing.assert_close(both[weights], values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("run", ["2", "divided"])
def test_one_process_speaks(folder: Path, run: str) -> None:
    said = (folder / f"{run}.said").read_text()
    assert said.count("before  after  change") == 1


@pytest.mark.slow
@pytest.mark.parametrize("run", ["2", pytest.param("divided", marks=pytest.mark.long)])
def test_a_run_of_two_processes_goes_on_from_its_checkpoint_wherever_it_lies(
    folder: Path, run: str
) -> None:
    said = FSDP if run == "divided" else None
    for name in ("stopped", "stopped.steps", "moved", "moved.steps"):
        shutil.rmtree(folder / name, ignore_errors=True)
    stopped = launched(folder, "stopped", 2, breaks="1:3:error", said=said)
    assert stopped.returncode == 1
    assert stopped.stderr.count("error: this cannot go on") == 1  # behind a progress bar
    assert "in process" not in stopped.stderr
    assert [mark.name for mark in (folder / "stopped/checkpoints").glob("*/")] == ["checkpoint-2"]
    (folder / "stopped").rename(folder / "moved")
    assert launched(folder, "moved", 2, said=said).returncode == 0
    again, once = left(folder / "moved"), left(folder / run)
    assert set(again) == set(once)
    for name, value in once.items():
        assert again[name] == value, name


@pytest.mark.long
@pytest.mark.parametrize("kind", ["FULL_STATE_DICT", "SHARDED_STATE_DICT"])
@pytest.mark.parametrize(
    "more", [(), ("--set", "lora.rank=4", "--set", "learning_rate=0.1")], ids=["all", "lora"]
)
def test_divided_weights_of_every_kind_go_on_after_a_kill(
    tmp_path: Path, kind: str, more: Sequence[str]
) -> None:
    talk(tmp_path)
    said = FSDP | {"FSDP_STATE_DICT_TYPE": kind}
    assert launched(tmp_path, "whole", 2, *more, said=said).returncode == 0
    assert launched(tmp_path, "again", 2, *more, said=said, breaks="0:3:kill").returncode != 0
    assert [mark.name for mark in (tmp_path / "again/checkpoints").glob("*/")] == ["checkpoint-2"]
    assert launched(tmp_path, "again", 2, *more, said=said).returncode == 0
    again, whole = left(tmp_path / "again"), left(tmp_path / "whole")
    assert set(again) == set(whole)
    assert len({line["reward"] for line in whole["metrics.jsonl"]}) > 1
    for name, value in whole.items():
        assert again[name] == value, name


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        # Torch names the process in front of each line; the error comes with where it came from.
        ("bug", {"[rank0]: KeyError: 'a bug'": 2, "[rank1]: KeyError": 0}),
        (
            "interrupt",
            {"interrupted": 1, "Traceback (most recent call last):\n": 1},
        ),  # the launcher's
        ("kill", {}),
    ],
)
def test_what_ends_one_process_ends_all(tmp_path: Path, kind: str, told: dict[str, int]) -> None:
    talk(tmp_path)
    done = launched(tmp_path, kind, 2, breaks=f"1:2:{kind}")
    assert done.returncode != 0
    for text, times in told.items():
        assert done.stderr.count(text) == times, done.stderr


@pytest.mark.long
def test_a_process_that_is_slow_is_waited_for(folder: Path) -> None:
    assert launched(folder, "slow", 2, breaks="1:2:slow").returncode == 0
    assert left(folder / "slow") == left(folder / "2")


def cached(path: Path) -> list[Any]:
    """What a cache holds, in the order of the keys."""
    with closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT key, text FROM answers ORDER BY key").fetchall()


@pytest.mark.long
def test_two_processes_that_share_a_judges_cache_are_judged_as_one_is(tmp_path: Path) -> None:
    talk(tmp_path)
    judge = save(tmp_path / "judge", byte_level(), context=32_768)
    settings = f'engine = "transformers"\nmodel = "{judge}"\ncache = "CACHE"\n'
    for run, processes in (("1", 1), ("2", 2)):
        toml = tmp_path / f"{run}.toml"
        toml.write_text(settings.replace("CACHE", f"{run}.sqlite"))
        done = launched(tmp_path, run, processes, "--judge", str(toml))
        assert done.returncode == 0, done.stderr
    alone, both = (lines(tmp_path / run / "rollouts.jsonl") for run in ("1", "2"))
    for one, two in zip(alone, both, strict=True):
        asked, again = one["items"]["find.kind"], two["items"]["find.kind"]
        sure, other = (item.pop("confidence", None) for item in (asked, again))
        assert other == (sure if sure is None else pytest.approx(sure, abs=1e-4))
        assert two == one  # but for the rounding of a batch that is another
    assert cached(tmp_path / "2.sqlite") == cached(tmp_path / "1.sqlite") != []


def test_a_step_that_cannot_be_shared_is_refused() -> None:
    config = Config(group=4, groups=2, micro_batch=8)
    assert passes_of(config, 1) == (8, 1)
    assert passes_of(config, 2) == (4, 1)
    with pytest.raises(RunError, match="3 processes cannot share a step's 8 rollouts"):
        passes_of(config, 3)
    with pytest.raises(RunError, match="`micro_batch` 3 does not divide the 8 rollouts"):
        passes_of(Config(group=4, groups=2, micro_batch=3), 1)


def test_shares_are_even_and_hold_everything_once() -> None:
    parts: list[Any] = []
    for index in range(3):
        ranks = Ranks()
        ranks.index, ranks.count = index, 3
        parts.append(list(range(7))[ranks.share(7)])
    assert [one for part in parts for one in part] == list(range(7))
    assert {len(part) for part in parts} == {2, 3}
