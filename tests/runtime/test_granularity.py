"""The study of examples/granularity: its data, its numbers, and its command at a toy's size."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import pytest

from cm2.bundle import open_spec
from cm2.chat import read
from cm2.score import score_all
from cm2dsl import ir
from cm2dsl.reward.instance import instances

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "examples" / "granularity"
sys.path.append(str(STUDY))

import arms  # noqa: E402
import curves  # noqa: E402
import measures  # noqa: E402
import page  # noqa: E402
import rescoring  # noqa: E402
import tables  # noqa: E402


def curve(truth: Sequence[float], arm: arms.Arm | None = None) -> curves.Curve:
    points = tuple(
        curves.Point(step + 1, reward, reward, reward, reward, reward, 0.5, 0.9, 60)
        for step, reward in enumerate(truth)
    )
    return curves.Curve(arm or arms.Arm("step", 0.1, 8, 1e-3, 0), points, 0.2, truth[-1])


# --- the task ---------------------------------------------------------------------------------


def test_the_two_specs_have_the_same_items_on_the_same_rows() -> None:
    asked, checked = (
        open_spec(STUDY / name).spec for name in ("lockers.cm2", "lockers_checks.cm2")
    )

    def shape(spec: ir.Spec) -> list[object]:
        return [
            (
                one.id,
                one.row,
                one.task.assign,
                [
                    (
                        turn.name,
                        turn.user,
                        [(i.name, i.kind, i.weight, i.after) for i in turn.items],
                    )
                    for turn in one.task.turns
                ],
                one.task.items,
            )
            for one in instances(spec)
        ]

    assert shape(asked) == shape(checked)
    assert all(i.ask and not i.check for t in asked.tasks for turn in t.turns for i in turn.items)
    assert all(i.check and not i.ask for t in checked.tasks for turn in t.turns for i in turn.items)


def test_the_data_is_what_its_maker_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, STUDY / "make.py", tmp_path], check=True, timeout=60)
    for name in ("rows.csv", "recordings.jsonl"):
        assert (tmp_path / name).read_bytes() == (STUDY / name).read_bytes()


def test_recordings_are_of_training_rows_alone() -> None:
    held_out = {one.id for one in instances(open_spec(STUDY / "lockers.cm2").spec)
                if one.split == "heldout"}  # fmt: skip
    text = (STUDY / "recordings.jsonl").read_text("utf-8")
    assert held_out
    assert not [name for name in held_out if f'"{name}"' in text]


# --- the runs ---------------------------------------------------------------------------------


def test_every_combination_is_one_run_with_a_name_of_its_own() -> None:
    every = arms.arms()
    main = [arm for arm in every if arm.rate == arms.RATE]
    assert len(main) == 3 * 4 * 2 * 3
    assert len({arm.name for arm in every}) == len(every)
    for size in arms.SIZES.values():
        assert all(size.rollouts % arm.group == 0 for arm in every)


def test_a_run_is_measured_by_the_exact_judge_whatever_it_learned_from(tmp_path: Path) -> None:
    dialogues = [
        json.loads(line) for line in (STUDY / "recordings.jsonl").read_text("utf-8").splitlines()
    ]
    known = score_all(open_spec(arms.CHECKS), list(read(STUDY / "recordings.jsonl")))
    rewards = [one.reward or 0.0 for one in known]
    phases = {("before", 0): range(60), ("train", 1): range(60, 100), ("after", 1): range(100, 360)}
    with (tmp_path / "rollouts.jsonl").open("w", encoding="utf-8") as file:
        for (phase, step), some in phases.items():
            for number in some:
                said = {"phase": phase, "step": step, "reward": 0.125}
                file.write(json.dumps({**dialogues[number], **said}) + "\n")
            masked = {"phase": phase, "step": step, "reward": None}
            file.write(json.dumps({**dialogues[0], **masked}) + "\n")
    metric = {"step": 1, "reward": 0.125, "entropy": 0.5, "well_formed": 1.0}
    (tmp_path / "metrics.jsonl").write_text(
        json.dumps({**metric, "tokens": 820, "rollouts": 41}) + "\n", "utf-8"
    )
    rescoring.distil(arms.arms()[0], tmp_path)
    found = curves.read_curve(tmp_path)
    assert found is not None
    (point,) = found.points
    assert found.before == pytest.approx(mean(rewards[:60]))
    assert found.after == pytest.approx(mean(rewards[100:]))
    assert point.truth == pytest.approx(mean(rewards[60:100]))
    assert point.truth == pytest.approx((point.find + point.open + point.send) / 3)
    assert (point.judged, point.tokens) == (0.125, 20)


# --- the numbers ------------------------------------------------------------------------------


def test_a_collapse_is_the_end_below_the_peak() -> None:
    found = measures.measured(curve([0.2] * 10 + [0.8] * 10 + [0.4] * 10))
    assert found.peak == pytest.approx(0.8)
    assert found.end == pytest.approx(0.4)
    assert found.drop == pytest.approx(-0.4)
    assert 11 <= found.peak_step <= 20
    assert found.early == pytest.approx(0.2)


def test_one_high_step_is_no_peak() -> None:
    found = measures.measured(curve([0.5] * 20 + [1.0] + [0.5] * 20))
    assert found.peak == pytest.approx(0.5 + 0.5 / measures.WINDOW)


def test_a_run_shorter_than_the_window_is_measured_too() -> None:
    found = measures.measured(curve([0.2, 0.4]))
    assert (found.peak, found.drop) == (pytest.approx(0.3), 0)


def test_an_interval_is_students() -> None:
    found = measures.interval([0.1, 0.2, 0.6])
    half = 4.302652729911275 * math.sqrt(0.07) / math.sqrt(3)  # of two degrees of freedom
    assert found.mean == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - half)
    assert found.high == pytest.approx(0.3 + half)
    assert measures.interval([0.4]) == measures.Interval(0.4, None, None, 1)


def test_runs_are_compared_with_those_that_differ_in_one_thing_alone() -> None:
    worth = {"trajectory": 0.5, "step": 0.7}
    runs = tables.measured_runs(
        [
            curve([worth[level] + seed / 10 + noise / 2] * 9, arms.Arm(level, noise, 8, rate, seed))
            for level in ("trajectory", "step")
            for noise in (0.0, 0.2)
            for seed in (0, 1)
            for rate in (1e-3, 2e-3)
            if not (level == "trajectory" and noise == 0.2 and seed == 1)
        ]
    )
    some = tables.by_rate(runs)[1e-3]
    assert set(tables.by_rate(runs)) == {1e-3, 2e-3}
    by_cell = tables.level_differences(some, "step", "trajectory")
    assert {key: one["end"].seeds for key, one in by_cell.items()} == {(8, 0.0): 2, (8, 0.2): 1}
    assert all(one["end"].mean == pytest.approx(0.2) for one in by_cell.values())
    overall = tables.overall(some, lambda arm: arm.level, "step", "trajectory")
    assert overall["end"].mean == pytest.approx(0.2)
    assert overall["end"].seeds == 2
    assert tables.overall(some, lambda arm: arm.group, 24, 8) == {}


def test_a_table_of_curves_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = [curve([0.25, 0.5, 0.75]), curve([0.5] * 3, arms.Arm("turn", 0.0, 24, 2e-3, 2))]
    curves.write_table(written, tmp_path / "curves.csv")
    assert curves.read_table(tmp_path / "curves.csv") == written


def test_the_page_has_the_numbers_of_the_committed_curves(tmp_path: Path) -> None:
    shown = shutil.copy(STUDY / "README.md", tmp_path)
    runs = tables.measured_runs(curves.read_table(STUDY / "results" / "curves.csv"))
    page.put(Path(shown), page.numbers(runs, arms.SIZES["study"], len(arms.arms())))
    assert Path(shown).read_text("utf-8") == (STUDY / "README.md").read_text("utf-8")


def test_a_page_without_a_place_for_numbers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Nothing\n", "utf-8")
    with pytest.raises(page.PageError, match="put them where they belong"):
        page.put(tmp_path / "page.md", "1\n")
    assert (tmp_path / "page.md").read_text("utf-8") == "# Nothing\n"


# --- the command ------------------------------------------------------------------------------


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


LINE = (
    *(sys.executable, str(STUDY / "run.py"), "--size", "toy"),
    *("--only", "t*-n0.10-g24-lr0.001-s0"),
)
TOY = Path("runs/granularity-toy")


def command(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A toy of the study in `folder`, where its runs are at TOY."""
    return subprocess.run(
        [*LINE, *options], capture_output=True, text=True, timeout=240, env=ENVIRONMENT, cwd=folder
    )


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trl")
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("study")
    study = {path: path.read_bytes() for path in [*STUDY.glob("results/*"), STUDY / "README.md"]}
    done = command(folder)
    assert done.returncode == 0, done.stderr
    assert "[2/2]" in done.stdout
    assert all(path.read_bytes() == content for path, content in study.items())
    return folder / TOY


def test_the_command_trains_draws_and_writes_its_page(toy: Path) -> None:
    found = curves.read_table(toy / "results" / "curves.csv")
    assert [one.arm.level for one in found] == ["trajectory", "turn"]
    assert all(len(one.points) == arms.SIZES["toy"].steps for one in found)
    assert all(0 <= point.truth <= 1 for one in found for point in one.points)
    for name in ("curves-lr0.001.png", "measures-lr0.001.png"):
        assert (toy / "results" / name).read_bytes().startswith(b"\x89PNG")
    assert "2 of 90 runs" in (toy / "README.md").read_text("utf-8")
    assert len((toy / "results" / "runs.csv").read_text("utf-8").splitlines()) == 3


def test_what_is_finished_is_not_run_again(toy: Path) -> None:
    runs = [path for path in toy.rglob("*.json") if "results" not in path.parts]
    before = {path: path.stat().st_mtime_ns for path in runs}
    again = command(toy.parents[1])
    assert again.returncode == 0, again.stderr
    assert "2 of 2 runs are there" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in runs} == before


@pytest.mark.long
def test_a_study_that_was_killed_goes_on_and_ends_the_same(toy: Path, tmp_path: Path) -> None:
    metrics = tmp_path / TOY / "turn-n0.10-g24-lr0.001-s0" / "metrics.jsonl"
    with subprocess.Popen(
        LINE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT,
        start_new_session=True, cwd=tmp_path,
    ) as study:  # fmt: skip
        for _ in range(2400):
            if metrics.exists() and metrics.stat().st_size:
                break
            time.sleep(0.05)
        os.killpg(study.pid, signal.SIGKILL)
    assert not (tmp_path / TOY / "results").exists()
    again = command(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "1 of 2 runs are there" in again.stdout
    assert (tmp_path / TOY / "results" / "curves.csv").read_bytes() == (
        toy / "results" / "curves.csv"
    ).read_bytes()


def test_a_name_that_no_run_has_is_refused(toy: Path) -> None:
    done = command(toy.parents[1], "--only", "nothing-*")
    assert done.returncode == 2
    assert "no run is named `nothing-*`; names are like `trajectory-n0.00-g8" in done.stderr
