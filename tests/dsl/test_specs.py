"""The shipped specs: they compile, and their data is what their README says."""

from __future__ import annotations

import csv
import filecmp
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cm2dsl import ir
from cm2dsl.chat import read
from cm2dsl.compiler import compile_file
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.run import lint
from cm2dsl.lint.subject import Subject
from cm2dsl.trajectory import Trajectory

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"


def compiled(name: str) -> ir.Spec:
    found = compile_file(SPECS / f"{name}.cm2")
    assert found is not None
    return found.spec


def items(spec: ir.Spec) -> list[ir.Item]:
    scopes: list[ir.Turn | ir.Task] = []
    for task in spec.tasks:
        scopes += (*task.turns, task)
    return [item for scope in scopes for item in scope.items]


def test_every_spec_compiles_and_common_is_a_library_that_all_of_them_import() -> None:
    names = sorted(path.stem for path in SPECS.glob("*.cm2"))
    assert names == ["airline", "common", "tutor", "挂号"]
    assert compile_file(SPECS / "common.cm2") is None
    for name in names:
        if name != "common":
            assert "common.cm2" in [source.file for source in compiled(name).sources]


@pytest.mark.parametrize("name", ["airline", "tutor", "挂号"])
def test_every_spec_has_checks_asks_items_with_both_anchors_and_tests(name: str) -> None:
    spec = compiled(name)
    kinds = Counter((item.expr is not None, item.ask is not None) for item in items(spec))
    assert all(kinds[pair] for pair in [(True, False), (False, True), (True, True)])
    assert any(item.anchors for item in items(spec))
    assert spec.tests


def test_the_airline_has_480_training_rows_and_160_held_out_ones_the_branches_in_balance() -> None:
    spec = compiled("airline")
    for task in spec.tasks:
        assert task.rows is not None
        assert Counter(row.split for row in task.rows) == {"train": 60, "heldout": 20}
    assert len(spec.tasks) == 8


@pytest.mark.parametrize(
    ("file", "keys"),
    [
        ("searches", ("origin", "destination")),
        ("bookings", ("origin", "destination")),
        ("changes", ("booking",)),
        ("cancellations", ("booking",)),
    ],
)
def test_held_out_rows_share_no_code_and_no_pair_of_cities_with_training_rows(
    file: str, keys: tuple[str, ...]
) -> None:
    with (SPECS / "airline" / f"{file}.csv").open(encoding="utf-8", newline="") as rows:
        seen: dict[str, set[tuple[str, ...]]] = {"train": set(), "heldout": set()}
        for row in csv.DictReader(rows):
            seen[row["split"]].add(tuple(row[key] for key in keys))
    assert not seen["train"] & seen["heldout"]


def test_customers_of_every_branch_say_the_same_things_in_both_languages() -> None:
    for task in compiled("airline").tasks:
        assert task.rows is not None
        said = Counter(row.values["lang"] for row in task.rows)
        assert said == {"en": 40, "zh": 40}
    sides = {}
    for task in compiled("airline").tasks:
        if task.name.startswith("cancel"):
            assert task.rows is not None
            sides[task.name] = {
                row.values["opening"].replace(row.values["booking"], "…") for row in task.rows
            }
    assert sides["cancel_allowed"] == sides["cancel_refused"]
    assert len(sides["cancel_allowed"]) == 12


def test_every_airline_training_row_has_two_recordings_and_no_held_out_row_has_any() -> None:
    for task in compiled("airline").tasks:
        assert task.rows is not None
        counts = Counter(one.task for one in recordings(task))
        wanted = {f"{task.name}/{row.key}": 2 for row in task.rows if row.split == "train"}
        assert counts == wanted


def test_the_airline_recordings_break_the_fare_policy_about_as_often_as_they_keep_it() -> None:
    spec = compiled("airline")
    for task in spec.tasks:
        if not task.name.endswith(("refused", "full")):
            continue
        write = {"ca": "cancel", "ch": "change", "bo": "book"}[task.name[:2]]
        broken = [write in tools(one) for one in recordings(task)]
        assert 0.35 <= sum(broken) / len(broken) <= 0.5


def test_the_airline_recordings_are_small() -> None:
    files = (SPECS / "airline" / "recordings").glob("*.jsonl")
    assert sum(file.stat().st_size for file in files) < 700_000


def test_one_command_makes_the_airline_data_again_byte_for_byte(tmp_path: Path) -> None:
    script = ROOT / "examples" / "airline_data" / "make.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, timeout=120)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    shipped = SPECS / "airline"
    there = sorted(path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file())
    assert [path for path in there if path.name != "README.md"] == made
    _, different, missing = filecmp.cmpfiles(tmp_path, shipped, made, shallow=False)
    assert (different, missing) == ([], [])


@pytest.mark.parametrize("name", ["airline", "common", "tutor", "挂号"])
def test_lint_finds_nothing_in_any_spec(name: str) -> None:
    subject = Subject.read(SPECS / f"{name}.cm2")
    assert [(one.code, one.finding.message) for one in lint(subject, all_rules())] == []


def recordings(task: ir.Task) -> list[Trajectory]:
    assert task.reference is not None
    return list(read(SPECS / task.reference))


def tools(dialogue: Trajectory) -> set[str]:
    return {call.tool for turn in dialogue.turns for step in turn.steps for call in step.calls}
