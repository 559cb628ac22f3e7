"""Imported specs against the official results of real runs (the folder that CM2_DATA names)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from cm2.agreement import kappa
from cm2.bundle import Bundle, open_spec
from cm2.cli import main
from cm2.formats import tau2 as runs
from cm2.formats.criteria import baselines
from cm2.formats.record import Record
from cm2.importers import tau2
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.score import score_all
from cm2.trajectory import Call, Step, Trajectory, Turn
from cm2dsl.draft.spec import Spec, Use

DATA = os.environ.get("CM2_DATA")
STRICTEST = "all writes, no other, all said"

pytestmark = pytest.mark.skipif(DATA is None, reason="CM2_DATA names no folder of real dialogues")


def run_files() -> list[Path]:
    return sorted(Path(DATA or "/nowhere").glob("tau2/*/runs/*.json.gz"))


def sources() -> list[Path]:
    """Every domain folder with tasks, and every run."""
    tasks = sorted(Path(DATA or "/nowhere").glob("tau2/*/tasks.json"))
    return [*(path.parent for path in tasks), *run_files()]


def name_of(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def rewards_are_its_own(path: Path) -> bool:
    """Whether a run was rewarded by the tasks that it embeds."""
    return not path.name.startswith("toolorchestra")


@cache
def imported(source: Path, diagnostics: bool = False) -> tuple[Spec, Bundle]:
    (spec,) = tau2.read(source, Options(diagnostics=diagnostics))
    with TemporaryDirectory() as folder:
        (path,) = write_specs([spec], Path(folder))
        return spec, open_spec(path)


@dataclass(frozen=True)
class Compared:
    """Dialogues counted as [neither, ours alone, official alone, both], and single verdicts."""

    cells: Mapping[str, list[int]]
    items: Mapping[str, list[tuple[bool, bool]]]


@cache
def compared(path: Path) -> Compared:
    """A run scored with its own tasks: the reward and a baseline beside the official reward."""
    _, bundle = imported(path, diagnostics=True)
    effects = {tool.name: tool.effect for tool in bundle.spec.tools}
    records = list(runs.read(path))
    assert all(isinstance(record, Record) for record in records)
    kept = [record for record in records if isinstance(record, Record)]
    cells = {"reward": [0] * 4, STRICTEST: [0] * 4}
    items: dict[str, list[tuple[bool, bool]]] = {"action": [], "communicate": []}
    scored = score_all(bundle, [record.trajectory for record in kept])
    for one, record in zip(scored, kept, strict=True):
        official = record.official
        assert official is not None
        assert official.criteria is not None
        theirs = official.reward == 1
        others = baselines(record.trajectory, official.criteria, effects)
        for name, ours in (("reward", one.reward == 1), (STRICTEST, others[STRICTEST])):
            cells[name][ours + 2 * theirs] += official.of_task
        decisions = one.decisions
        for name, verdict in official.items.items():
            found = decisions[f"dialogue.{name}"].verdict.value == "pass"
            items[name.split("_")[0]].append((found, verdict))
    return Compared(cells, items)


# --- agreement --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", run_files(), ids=name_of)
def test_every_single_verdict_is_the_official_one(path: Path) -> None:
    for verdicts in compared(path).items.values():
        assert [ours for ours, _ in verdicts] == [theirs for _, theirs in verdicts]


def test_there_are_verdicts_to_compare() -> None:
    counts = {"action": 0, "communicate": 0}
    for path in run_files():
        for name, verdicts in compared(path).items.items():
            counts[name] += len(verdicts)
    assert counts["action"] > 1000
    assert counts["communicate"] > 100


def test_dialogues_that_were_judged_by_another_task_are_told_from_the_rest() -> None:
    for path in run_files():
        dialogues = list(runs.read(path))
        compared_ones = sum(compared(path).cells["reward"])
        retail = path.parent.parent.name == "retail"
        assert len(dialogues) - compared_ones == (11 if retail else 0)


@pytest.mark.parametrize("path", [*filter(rewards_are_its_own, run_files())], ids=name_of)
def test_the_default_reward_agrees_no_less_than_the_strictest_baseline(path: Path) -> None:
    cells = compared(path).cells
    assert kappa(cells["reward"]) >= kappa(cells[STRICTEST])
    if path.parent.parent.name == "airline":
        assert kappa(cells["reward"]) >= 0.79


def test_the_default_reward_agrees_no_less_in_all_runs_together() -> None:
    pooled = {"reward": [0] * 4, STRICTEST: [0] * 4}
    for path in filter(rewards_are_its_own, run_files()):
        for name, cells in compared(path).cells.items():
            pooled[name] = [a + b for a, b in zip(pooled[name], cells, strict=True)]
    assert kappa(pooled["reward"]) >= kappa(pooled[STRICTEST])
    assert kappa(pooled["reward"]) >= 0.95


@pytest.mark.parametrize("path", run_files(), ids=name_of)
def test_the_command_finds_the_same_disagreements(path: Path, tmp_path: Path) -> None:
    (spec,) = tau2.read(path, Options(diagnostics=True))
    (file,) = write_specs([spec], tmp_path / "specs")
    found = tmp_path / "found.jsonl"
    options = ["--format", "tau2", "--agree", "--disagreements", str(found)]
    done = CliRunner().invoke(main, ["score", str(file), str(path), *options])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in found.read_text().splitlines()]
    assert [line for line in lines if line["other_items"]] == []
    cells = compared(path).cells["reward"]
    ours_alone = [line for line in lines if line["reward"] == 1]
    assert (len(ours_alone), len(lines)) == (cells[1], cells[1] + cells[2])


# --- what a policy gets for nothing -----------------------------------------------------------

VACUOUS = "close to vacuous"
REFUSAL = "I'm sorry, I can't help with that."


def idle(task: str, told: str, transfer: str | None) -> Iterator[tuple[str, Trajectory]]:
    """Policies that do not do the task, by name."""
    opening = (Step(reply="Hello! How can I help?"),)

    def dialogue(*steps: Step) -> Trajectory:
        last = [Turn("###STOP###")] if steps else []
        return Trajectory("d", task, (Turn(told, steps), *last), opening=opening)

    yield "silent", dialogue()
    yield "closes", dialogue(Step(reply="ok"))
    yield "refuses", dialogue(Step(reply=REFUSAL))
    yield "echoes", dialogue(Step(reply=told))
    if transfer is not None:
        call = Call("1", transfer, {"summary": told}, "", "Transfer successful", False)
        yield "transfers", dialogue(Step(calls=(call,)), Step(reply="Please wait."))


@cache
def earned(source: Path) -> Mapping[str, Mapping[str, float | None]]:
    """task -> policy -> reward, with the default spec."""
    bundle = imported(source)[1]
    tools = [tool.name for tool in bundle.spec.tools]
    transfer = next((name for name in tools if name.startswith("transfer")), None)
    found: dict[str, dict[str, float | None]] = {}
    for task in bundle.spec.tasks:
        assert task.simulated is not None
        told = "".join(part for part in task.simulated if isinstance(part, str))
        named = dict(idle(task.name, told, transfer))
        scored = score_all(bundle, list(named.values()))
        found[task.name] = {name: one.reward for name, one in zip(named, scored, strict=True)}
    return found


def reported(spec: Spec) -> dict[str, str]:
    """The sentence of the report on each task that it calls close to vacuous."""
    lines = [line for line in spec.unsaid if line.startswith(VACUOUS)]
    return {task.name: line for line in lines for task in spec.tasks if f"`{task.name}`" in line}


@pytest.mark.parametrize("source", sources(), ids=name_of)
def test_silence_earns_nothing(source: Path) -> None:
    assert {task for task, by in earned(source).items() if by["silent"] != 0} == set()


@pytest.mark.parametrize("source", sources(), ids=name_of)
def test_an_idle_policy_earns_everything_only_where_the_report_says_so(source: Path) -> None:
    spec, _ = imported(source)
    said = reported(spec)
    for task, by in earned(source).items():
        full = {policy for policy, reward in by.items() if reward == 1}
        if not full:
            continue
        assert task in said, (task, full)
        takes = said[task].split("all it takes is ")[1]
        if full != {"transfers"}:
            assert takes.startswith("any answer"), (task, full)
        else:
            assert takes.startswith("a call of `transfer"), (task, full)


@pytest.mark.parametrize("source", sources(), ids=name_of)
def test_items_of_a_task_have_names_of_their_own_and_templates_are_used(source: Path) -> None:
    spec, _ = imported(source, diagnostics=True)
    used: set[str] = set()
    for task in spec.tasks:
        names = [
            one.name or one.template if isinstance(one, Use) else one.name for one in task.items
        ]
        assert len(names) == len(set(names))
        used |= {one.template for one in task.items if isinstance(one, Use)}
    assert used == {template.name for template in spec.templates}
