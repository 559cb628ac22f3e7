"""The format `tau1`: results of τ-bench's first edition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm2.formats import tau1
from cm2.formats.criteria import Action
from cm2.formats.record import Record, Reject
from cm2.formats.source import SourceFault
from cm2.trajectory import has_failed

ACTION = {"name": "return_item", "kwargs": {"order": "A1", "items": [{"sku": "7"}]}}


def result(**changes: Any) -> dict[str, Any]:
    """A result of the benchmark's shape, about a shop that it does not have."""
    value: dict[str, Any] = {
        "task_id": 12,
        "reward": 1.0,
        "info": {
            "task": {
                "user_id": "pat_1",
                "actions": [ACTION, {"name": "respond", "kwargs": {"content": "1,200 points"}}],
                "instruction": "You are Pat. You want to return the lamp.",
                "outputs": ["1200", "lamp"],
            },
            "source": "user",
            "user_cost": 0.01,
            "reward_info": {
                "reward": 1.0,
                "info": {"r_outputs": 1.0, "outputs": {"1200": True, "lamp": False}},
                "actions": [ACTION],
            },
        },
        "traj": [
            {"role": "system", "content": "# Policy"},
            {"role": "user", "content": "I want to return the lamp."},
            {
                "role": "assistant",
                "content": None,
                "function_call": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "return_item", "arguments": '{"order": "A1"}'},
                    }
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "c1",
                "name": "return_item",
                "content": "Error: no such order",
            },
            {"role": "assistant", "content": "There is no such order."},
            {"role": "user", "content": "###STOP###"},
        ],
        "trial": 2,
    }
    return {**value, **changes}


def read(tmp_path: Path, value: Any) -> list[Record | Reject]:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(value))
    return list(tau1.read(path))


def record(tmp_path: Path, value: dict[str, Any]) -> Record:
    (found,) = read(tmp_path, [value])
    assert isinstance(found, Record), found
    return found


def reject(tmp_path: Path, value: Any) -> Reject:
    (found,) = read(tmp_path, [value])
    assert isinstance(found, Reject), found
    return found


def test_a_result_is_a_dialogue_of_its_task(tmp_path: Path) -> None:
    found = record(tmp_path, result())
    trajectory = found.trajectory
    assert (trajectory.id, trajectory.task) == ("12.2", "task_12")
    assert trajectory.system == "# Policy"
    (call,) = trajectory.turns[0].steps[0].calls
    assert call.arguments == {"order": "A1"}
    assert has_failed(call.result or "", call.failed)
    assert len(trajectory.turns) == 2


def test_the_official_reward_is_the_recorded_one(tmp_path: Path) -> None:
    official = record(tmp_path, result(reward=0.0)).official
    assert official is not None
    assert official.reward == 0.0


def test_outputs_have_the_recorded_verdicts_and_actions_have_none(tmp_path: Path) -> None:
    official = record(tmp_path, result()).official
    assert official is not None
    assert official.items == {"communicate_0": True, "communicate_1": False}


def test_a_run_judged_by_its_database_has_no_verdict_on_single_criteria(tmp_path: Path) -> None:
    value = result()
    value["info"]["reward_info"]["info"] = {"r_actions": 1.0, "gt_data_hash": "00"}
    official = record(tmp_path, value).official
    assert official is not None
    assert official.items == {}


def test_the_criteria_are_the_tasks_calls_and_outputs(tmp_path: Path) -> None:
    official = record(tmp_path, result()).official
    assert official is not None
    assert official.criteria is not None
    assert official.criteria.actions == (Action(False, "return_item", ACTION["kwargs"]),)
    assert official.criteria.communicate == ("1200", "lamp")


def test_a_run_that_broke_off_is_no_dialogue(tmp_path: Path) -> None:
    broken = result(reward=0.0, traj=[], info={"error": "out of quota\nmore", "traceback": "…"})
    found = reject(tmp_path, broken)
    assert found.path == "[0].info.error"
    assert found.reason == "the run broke off: `out of quota`"


def test_calls_that_are_written_as_text_are_refused(tmp_path: Path) -> None:
    traj = [
        {"role": "user", "content": "Return the lamp"},
        {"role": "assistant", "content": 'Action:\n{"name": "return_item", "arguments": {}}'},
        {"role": "user", "content": "API output: done"},
    ]
    found = reject(tmp_path, result(traj=traj))
    assert found.path == "[0].traj[2]"
    assert "tool-calling" in found.help


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({k: v for k, v in result().items() if k != "traj"}, "[0]"),
        ({k: v for k, v in result().items() if k != "reward"}, "[0]"),
        (result(reward=1.5), "[0].reward"),
        (result(reward="1"), "[0].reward"),
        (result(task_id="12"), "[0].task_id"),
        (result(traj=[]), "[0].traj"),
        (result(traj=[{"role": "user", "content": [{"type": "tool_result"}]}]), "[0].traj[0]"),
        ("lost", "[0]"),
    ],
)
def test_an_entry_of_another_shape_is_rejected_with_its_place(
    tmp_path: Path, value: Any, path: str
) -> None:
    assert reject(tmp_path, value).path == path


def test_the_entries_around_a_bad_one_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, [result(), {}, result(trial=3)])
    assert [isinstance(entry, Record) for entry in found] == [True, False, True]


@pytest.mark.parametrize(
    ("value", "words"), [({"simulations": []}, "`tau2`"), ([], "holds no result")]
)
def test_a_file_of_another_shape_is_a_fault(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(SourceFault, match=words):
        read(tmp_path, value)
