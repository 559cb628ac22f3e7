"""The tasks that a result file of τ-bench's first edition embeds, as specs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from workshop import call, dialogue, items, result

from cm2.bundle import Bundle, open_spec
from cm2.formats import tau1 as results
from cm2.formats.record import Record
from cm2.formats.source import SourceFault
from cm2.importers import tau1
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2.score import score
from cm2dsl.draft.spec import Spec

RETURN = {"name": "return_lamp", "kwargs": {"order": "A1", "items": ["7", "8"]}}
LOOK = {"name": "get_order", "kwargs": {"order": "A1"}}
HAND = {"name": "transfer_to_human", "kwargs": {"summary": "angry"}}
SAY = {"name": "respond", "kwargs": {"content": "1,200 points"}}


def messages(*calls: tuple[str, Any, str], reply: str = "Done.") -> list[dict[str, Any]]:
    """A dialogue in OpenAI's form, in which arguments are JSON strings."""
    made: list[dict[str, Any]] = [
        {"role": "system", "content": "# Rules"},
        {"role": "user", "content": "The lamp is broken."},
    ]
    for index, (name, arguments, answer) in enumerate(calls):
        function = {"name": name, "arguments": json.dumps(arguments)}
        one = {"id": f"c{index}", "type": "function", "function": function}
        made.append({"role": "assistant", "content": None, "tool_calls": [one]})
        made.append({"role": "tool", "tool_call_id": f"c{index}", "name": name, "content": answer})
    return [
        *made,
        {"role": "assistant", "content": reply},
        {"role": "user", "content": "###STOP###"},
    ]


def entry(number: int = 0, *actions: Any, reward: float = 1.0, **more: Any) -> dict[str, Any]:
    """A result; `more` are members of its task, or its `traj` and `trial`."""
    traj = more.pop("traj", messages(("return_lamp", RETURN["kwargs"], "{}")))
    found = {
        "user_id": "pat",
        "instruction": f"You are Pat, number {number}. Return the lamp of order A1.",
        "actions": list(actions),
        "outputs": [],
        **more,
    }
    trial = found.pop("trial", 0)
    info = {"task": found, "reward_info": {"reward": reward, "info": {}, "actions": []}}
    return {"task_id": number, "reward": reward, "info": info, "traj": traj, "trial": trial}


def made(folder: Path, *entries: Any, **options: Any) -> tuple[Spec, Bundle]:
    path = folder / "gpt-9.run.json"
    path.write_text(json.dumps(entries))
    (spec,) = tau1.read(path, Options(**options))
    (file,) = write_specs([spec], folder / "out")
    return spec, open_spec(file)


def test_writes_are_required_reads_are_not_and_no_other_write_may_happen(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, entry(3, LOOK, RETURN, SAY))
    assert [one.name for one in spec.tasks] == ["task_3"]
    assert list(items(spec)) == ["return_lamp", "no_other_writes", "ends_with_reply"]
    right = call("return_lamp", order="A1", items=["8", "7"])
    assert result(bundle, dialogue(right)).reward == 1.0
    other = call("return_lamp", order="A2", items=["7", "8"])
    assert result(bundle, dialogue(right, other)).reward == 0.0


def test_the_dialogues_of_the_file_score_with_the_spec_made_of_it(tmp_path: Path) -> None:
    wrong = messages(("return_lamp", {"order": "A1", "items": ["7"]}, "{}"))
    failed = messages(("return_lamp", RETURN["kwargs"], "Error: closed"))
    runs = [
        entry(3, RETURN),
        entry(3, RETURN, traj=wrong, reward=0.0, trial=1),
        entry(3, RETURN, traj=failed, reward=0.0, trial=2),
    ]
    spec, bundle = made(tmp_path, *runs)
    records = list(results.read(tmp_path / "gpt-9.run.json"))
    scored = [score(bundle, one.trajectory).reward for one in records if isinstance(one, Record)]
    assert scored == [1.0, 0.0, 0.0]
    assert [one.id for one in spec.tasks[0].recordings] == ["3.0"]
    assert spec.system == "# Rules"


def test_outputs_must_be_said_with_commas_left_out(tmp_path: Path) -> None:
    spec, bundle = made(tmp_path, entry(0, RETURN, outputs=["1200", "4"]), diagnostics=True)
    assert [name for name in items(spec) if "_" in name and name != "ends_with_reply"] == [
        "return_lamp",
        "says_1200",
        "says_4",
        "no_other_writes",
        "action_0",
        "communicate_0",
        "communicate_1",
    ]
    right = call("return_lamp", order="A1", items=["7", "8"])
    assert result(bundle, dialogue(right, reply="You have 1,200, and 4")).reward == 1.0
    assert any("`4` must be said, which is so short" in line for line in spec.unsaid)


def test_schemas_and_effects_are_made_from_the_calls_and_reported(tmp_path: Path) -> None:
    traj = messages(("calculate", {"expression": "1"}, "1"), ("get_order", {"order": "A1"}, "{}"))
    spec, _ = made(tmp_path, entry(0, RETURN, traj=traj))
    effects = {one["function"]["name"]: one["function"]["x-effect"] for one in spec.tools}
    assert effects == {"return_lamp": "write", "calculate": "generic", "get_order": "read"}
    (line,) = spec.unsaid
    assert "`return_lamp`, `calculate`, `get_order` are made from their calls" in line
    assert "--tools" in line


def test_real_schemas_are_taken_where_they_are_named(tmp_path: Path) -> None:
    function = {
        "name": "return_lamp",
        "description": "Takes it back",
        "parameters": {"type": "object"},
    }
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"type": "function", "function": function}]))
    system = tmp_path / "wiki.md"
    system.write_text("Our rules")
    spec, _ = made(tmp_path, entry(0, RETURN), tools=tools, system=system, name="lamps")
    assert (spec.domain, spec.system) == ("lamps", "Our rules")
    assert spec.tools[0]["function"]["description"] == "Takes it back"
    assert spec.tools[0]["function"]["x-effect"] == "write"
    assert spec.unsaid == []


@pytest.mark.parametrize(
    ("actions", "wanted"),
    [
        ([], ["no_writes", "answers"]),
        ([LOOK], ["no_writes", "looks_up", "ends_with_reply"]),
        ([HAND], ["no_writes", "transfer_to_human", "ends_with_reply"]),
    ],
)
def test_a_task_without_a_write_pays_no_silence_and_says_that_it_is_vacuous(
    tmp_path: Path, actions: list[Any], wanted: list[str]
) -> None:
    spec, bundle = made(tmp_path, entry(0, *actions), entry(1, RETURN))
    assert list(items(spec)) == wanted
    assert any(line.startswith("close to vacuous") and "`task_0`" in line for line in spec.unsaid)
    assert spec.tasks[0].note.startswith("Close to vacuous")
    assert result(bundle, dialogue(reply="", task="task_0")).reward == 0.0


def test_a_run_that_broke_off_is_left_out_and_reported(tmp_path: Path) -> None:
    broken = {"task_id": 1, "reward": 0.0, "info": {"error": "no quota"}, "traj": [], "trial": 0}
    spec, _ = made(tmp_path, broken, entry(0, RETURN))
    assert [one.name for one in spec.tasks] == ["task_0"]
    assert any("A dialogue was left out" in line and "no quota" in line for line in spec.unsaid)


def test_two_tasks_of_one_number_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SourceFault, match="another task than before has the number of `task_0`"):
        made(tmp_path, entry(0, RETURN), entry(0, LOOK))


def test_a_file_without_tasks_is_a_fault(tmp_path: Path) -> None:
    bare = {"task_id": 1, "reward": 1.0, "info": {}, "traj": messages(), "trial": 0}
    with pytest.raises(SourceFault, match="no result holds its task"):
        made(tmp_path, bare)


def test_the_instruction_is_what_the_user_is_told(tmp_path: Path) -> None:
    told = 'You are Pat.\nYou say "{order}" and \\ and 灯.'
    spec, bundle = made(tmp_path, entry(0, RETURN, instruction=told))
    assert bundle.spec.tasks[0].simulated == (told,)
    assert spec.tasks[0].title == 'You are Pat. You say "{order}" and \\ and 灯.'
