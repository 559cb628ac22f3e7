"""Facts about what a run says at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rollout_doubles import desk

import cm2.train.run
from cm2.cli import main
from cm2.train.report import comparison


def side(masked: int, **tasks: float) -> dict[str, Any]:
    items = {f"{name}.once.says": reward for name, reward in tasks.items()}
    return {
        "reward": 0.5,
        "well_formed": 1.0,
        "tasks": tasks,
        "items": items,
        "masked": masked,
        "rollouts": 12,
    }


def test_the_table_says_how_much_of_it_is_masked() -> None:
    said = comparison(side(0, a=0.5), side(7, a=0.25)).splitlines()
    assert "masked               0 of 12  7 of 12" in [line.rstrip() for line in said]
    assert "masked" not in comparison(side(0, a=0.5), side(0, a=0.25))


def test_a_task_that_counts_on_one_side_alone_is_in_the_table() -> None:
    said = comparison(side(6, b=0.5), side(6, a=0.25)).splitlines()
    assert [line.split() for line in said if line[:2] in ("a ", "b ")] == [
        ["a", "–", "0.25"],
        ["b", "0.50", "–"],
    ]


def test_an_interrupted_run_says_where_it_is_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cm2.train.run, "train", stopped)
    desk(tmp_path)
    words = ["train", str(tmp_path / "desk.cm2"), "--allow-python", "--out", "runs/mine"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 130
    assert done.stderr == "\ninterrupted: give the same command with --out runs/mine to go on\n"
