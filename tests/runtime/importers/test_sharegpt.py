"""The importer `sharegpt`: tools from JSON text, lists and Hermes's prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm2.importers import sharegpt
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2dsl.draft.spec import Spec

WATER = {"name": "water", "parameters": {"type": "object", "properties": {"plant": {}}}}
CALL = {"name": "water", "arguments": {"plant": "fern"}}
TALK = [
    {"from": "human", "value": "Water the fern"},
    {"from": "function_call", "value": json.dumps(CALL)},
    {"from": "observation", "value": "done"},
    {"from": "gpt", "value": "Done."},
]


def imported(tmp_path: Path, *dialogues: dict[str, Any]) -> Spec:
    path = tmp_path / "garden.json"
    path.write_text(json.dumps(list(dialogues)))
    (spec,) = sharegpt.read(path, Options())
    write_specs([spec], tmp_path / "out")
    return spec


def tool_names(spec: Spec) -> list[str]:
    return [schema["function"]["name"] for schema in spec.tools]


def test_a_dialogue_becomes_a_task_that_compiles(tmp_path: Path) -> None:
    spec = imported(tmp_path, {"conversations": TALK, "tools": json.dumps([WATER])})
    (task,) = spec.tasks
    assert (spec.domain, task.name) == ("garden", "water_the_fern")
    assert [turn.name for turn in task.turns] == ["water"]
    assert 'water(plant == "fern")' in (tmp_path / "out" / "garden.cm2").read_text()
    assert task.recordings[0].extra == {}


@pytest.mark.parametrize("tools", [[WATER], json.dumps([WATER]), json.dumps(WATER)])
def test_tools_are_a_list_or_json_text(tmp_path: Path, tools: Any) -> None:
    assert tool_names(imported(tmp_path, {"conversations": TALK, "tools": tools})) == ["water"]


@pytest.mark.parametrize("tools", [None, "", "[]", []])
def test_without_tools_they_are_made_from_the_calls(tmp_path: Path, tools: Any) -> None:
    spec = imported(tmp_path, {"conversations": TALK, "tools": tools})
    assert tool_names(spec) == ["water"]
    assert any("no tool schemas" in line for line in spec.unsaid)


@pytest.mark.parametrize("between", ["[{0}, {1}]", "{0}\n{1}"])
def test_tools_between_tags_in_the_system_prompt_are_read(tmp_path: Path, between: str) -> None:
    listed = between.replace("{0}", json.dumps(WATER)).replace(
        "{1}", json.dumps({"type": "function", "function": {"name": "feed"}})
    )
    prompt = f"Tools stand within <tools></tools> tags: <tools>\n{listed}\n</tools> Be kind."
    spec = imported(tmp_path, {"conversations": [{"from": "system", "value": prompt}, *TALK]})
    assert tool_names(spec) == ["water", "feed"]
    assert any("between `<tools>` tags" in line for line in spec.unsaid)


def test_tools_that_are_no_json_leave_the_dialogue_out(tmp_path: Path) -> None:
    good = {"conversations": TALK, "tools": [WATER]}
    spec = imported(tmp_path, good, {"id": "b", "conversations": TALK, "tools": "[water]"})
    (line,) = [line for line in spec.unsaid if "left out" in line]
    assert "(`dialogue b.tools`): not JSON" in line
