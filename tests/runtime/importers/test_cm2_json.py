"""The CM2 paper's annotated dialogues as specs: what stands where, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cm2 import open_spec, read_chat
from cm2.cli import main
from cm2.formats.source import SourceFault
from cm2.importers import cm2_json
from cm2.importers.cm2_json_names import item_name
from cm2.importers.options import Options
from cm2.importers.write import write_specs
from cm2dsl.draft.spec import Item, Spec
from cm2dsl.draft.text import spec_text

ARGUMENTS = '{"room": "Hopper", "hour": 9}'
REPLY = "Room Hopper is yours at nine."
SAID = "assistant.content.user_visible_reply"
CALLED = "assistant.tool_calls"


def tool(name: str) -> Any:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def call(id: str = "c1", arguments: str = ARGUMENTS) -> Any:
    return {"id": id, "type": "function", "function": {"name": "reserve", "arguments": arguments}}


def item(id: str, question: str = "Does the reply confirm the room?", **more: Any) -> Any:
    plain = {"id": id, "focus_on": SAID, "question": question, "weight": 1.0, "dependence": []}
    return plain | more


def evidence(where: str, snippet: str, turn: int = 0, step: int = 1) -> Any:
    return {"turn": turn, "step": step, "from": where, "snippet": snippet}


def entry(*turns: Any, **more: Any) -> Any:
    """Two turns; `turns` are the items of the one variant."""
    plain = {
        "uuid": "room",
        "messages": [
            {"role": "user", "content": "A room at nine, please"},
            {"role": "assistant", "content": "<think>\nNine.\n</think>", "tool_calls": [call()]},
            {"role": "tool", "content": '{"free": true}'},
            {"role": "assistant", "content": REPLY},
            {"role": "user", "content": "Thanks"},
            {"role": "assistant", "content": "Gladly"},
        ],
        "tools": [tool("reserve")],
        "checklists": [list(turns)],
    }
    return plain | more


def specs_of(folder: Path, *entries: Any) -> list[Spec]:
    path = folder / "rooms.json"
    path.write_text(json.dumps(list(entries)))
    return cm2_json.read(path, Options())


def first_item(folder: Path, one: Any) -> Item:
    (spec,) = specs_of(folder, entry([one], []))
    found = spec.tasks[0].turns[0].items[0]
    assert isinstance(found, Item)
    return found


# --- what stands where ------------------------------------------------------------------------


def test_every_field_of_an_item_has_its_word(tmp_path: Path) -> None:
    one = item(
        "C0",
        "Did the assistant reserve the room?",
        focus_on="tool.content",
        pass_condition="It did",
        failure_examples=["It did not", "It reserved another"],
        required_for_next_turn=True,
        weight=0.25,
        evidence=[evidence("tool.content", '"free": true', step=2)],
    )
    assert first_item(tmp_path, one) == Item(
        "reserves_room",
        ask="Did the assistant reserve the room?",
        passes=("It did",),
        fails=("It did not", "It reserved another"),
        focus="tool_result",
        weight=0.25,
        strict=True,
        anchors=(("tool_result", '"free": true'),),
    )


def test_the_spec_compiles_with_its_recording(tmp_path: Path) -> None:
    specs = specs_of(tmp_path, entry([item("C0")], [item("C0")]))
    (path,) = write_specs(specs, tmp_path / "out")
    bundle = open_spec(path)
    assert [task.name for task in bundle.spec.tasks] == ["dialogue_1"]
    (recording,) = read_chat(path.with_suffix(".recordings.jsonl"))
    assert (recording.id, recording.task) == ("room", "dialogue_1")
    assert recording.turns[0].steps[0].reasoning == "Nine."
    assert recording.turns[0].steps[1].reply == REPLY


def test_a_variant_is_a_task(tmp_path: Path) -> None:
    variants = [[[item("C0")]], [[item("C0", "Is it short?")], [item("C0")]]]
    (spec,) = specs_of(tmp_path, entry(checklists=variants))
    assert [task.name for task in spec.tasks] == ["dialogue_1_variant_1", "dialogue_1_variant_2"]
    assert [len(task.recordings) for task in spec.tasks] == [1, 1]


def test_evidence_that_is_a_whole_call_is_anchored_in_it(tmp_path: Path) -> None:
    snippet = f'"name": "reserve", "arguments": {json.dumps(ARGUMENTS)}'
    found = first_item(tmp_path, item("C0", evidence=[evidence(CALLED, snippet)]))
    assert found.anchors == (("tool_call", f"reserve({ARGUMENTS})"),)


def test_evidence_that_is_a_part_of_a_call_is_anchored_where_our_text_has_it(
    tmp_path: Path,
) -> None:
    found = first_item(tmp_path, item("C0", evidence=[evidence(CALLED, '"room": "Hopper"')]))
    assert found.anchors == (("tool_call", '"room": "Hopper"'),)


@pytest.mark.parametrize(
    ("where", "snippet"),
    [(SAID, "Room Hopper … nine"), (CALLED, '\\"room\\"'), (SAID, ""), ("the reply", REPLY)],
)
def test_evidence_that_is_nowhere_word_for_word_is_kept_and_reported(
    tmp_path: Path, where: str, snippet: str
) -> None:
    (spec,) = specs_of(tmp_path, entry([item("C0", evidence=[evidence(where, snippet)])]))
    found = spec.tasks[0].turns[0].items[0]
    assert isinstance(found, Item)
    assert found.anchors == ()
    (recording,) = spec.tasks[0].recordings
    kept = recording.extra["cm2_json"]["items"]["turn_1.confirms_room"]["evidence"]
    assert kept == [[False, evidence(where, snippet)]]
    assert any("quotes as evidence" in line for line in spec.unsaid)


def test_an_unknown_focus_is_read_as_the_nearest_and_reported(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, entry([item("C0", focus_on="assistant.reasoning")]))
    found = spec.tasks[0].turns[0].items[0]
    assert isinstance(found, Item)
    assert found.focus == "reasoning"
    assert any("`assistant.reasoning`" in line for line in spec.unsaid)


def test_keys_without_a_word_are_kept_and_reported(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, entry([item("C0", price=3)], source="web"))
    (recording,) = spec.tasks[0].recordings
    kept = recording.extra["cm2_json"]
    assert kept["more"] == {"source": "web"}
    assert kept["items"]["turn_1.confirms_room"]["more"] == {"price": 3}
    assert "`price` of items is kept in the recordings" in spec.unsaid


def test_dependence_names_items_of_the_turn_else_of_an_earlier_one(tmp_path: Path) -> None:
    first = [item("A", "Is it early?"), item("B", "Is it late?", dependence=["A"])]
    second = [item("A", "Is it polite?"), item("C", "Is it short?", dependence=["A", "B"])]
    (spec,) = specs_of(tmp_path, entry(first, second))
    assert "item late weight 1.0 after early {" in spec_text(spec)
    assert "item short weight 1.0 after polite, turn_1.late {" in spec_text(spec)


def test_an_item_that_waits_for_what_comes_no_earlier_is_reported(tmp_path: Path) -> None:
    items = [
        item("C0", "Does it say nine?", evidence=[evidence(SAID, "at nine", step=3)]),
        item("C1", dependence=["C0"], evidence=[evidence(SAID, "is yours", step=3)]),
    ]
    (spec,) = specs_of(tmp_path, entry(items))
    assert any("no step earlier" in line for line in spec.unsaid)


def test_turns_without_items_carry_no_reward(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, entry([item("C0")], []))
    assert spec.tasks[0].at == ("turn_1",)


def test_dialogues_with_the_same_tools_share_a_spec(tmp_path: Path) -> None:
    one, two = entry([item("C0")]), entry([item("C0")], tools=[tool("reserve"), tool("cancel")])
    specs = specs_of(tmp_path, one, two, one)
    assert [(spec.domain, len(spec.tasks)) for spec in specs] == [("rooms_1", 2), ("rooms_2", 1)]


def test_json_lines_and_a_single_dialogue_are_read(tmp_path: Path) -> None:
    one = json.dumps(entry([item("C0")]))
    (tmp_path / "rooms.jsonl").write_text(f"{one}\n{one}\n")
    (tmp_path / "room.json").write_text(one)
    (many,) = cm2_json.read(tmp_path / "rooms.jsonl", Options(name="mine"))
    (single,) = cm2_json.read(tmp_path / "room.json", Options())
    assert (many.domain, len(many.tasks)) == ("mine", 2)
    assert (single.domain, len(single.tasks)) == ("room", 1)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Did the assistant call reserve with the room?", "calls_reserve_room"),
        ("Does the final reply clearly state that a room is free?", "states_room_free"),
        ("Is the reply polite?", "polite"),
        ("Does the reply try to carry it out?", "tries_carry_out"),
        ("回复是否礼貌？", "回复是否礼貌"),
        ("?!", "item"),
    ],
)
def test_a_question_names_its_item(question: str, name: str) -> None:
    assert item_name(question, ()) == name


def test_two_items_that_ask_the_same_have_names_of_their_own(tmp_path: Path) -> None:
    (spec,) = specs_of(tmp_path, entry([item("C0"), item("C1")]))
    names = [each.name for each in spec.tasks[0].turns[0].items]
    assert names == ["confirms_room", "confirms_room_2"]


# --- what is refused --------------------------------------------------------------------------

FAULTS: list[tuple[Any, str, str]] = [
    ([], "", "there are no dialogues"),
    ([3], "[0]", "found `3`"),
    (entry(checklists=[]), "[0].checklists", "is empty"),
    (entry([], []), "[0].checklists[0]", "holds no item"),
    (entry([item("C0")], [], []), "[0].checklists[0]", "has 3 turns, and the dialogue 2"),
    (entry([item("C0", "  ")]), "[0].checklists[0][0][0].question", "found"),
    (entry([item("C0"), item("C0")]), "[0].checklists[0][0][1].id", "`C0` stands twice"),
    (
        entry([item("C0", dependence=["C9"])]),
        "[0].checklists[0][0][0].dependence[0]",
        "`C9` is no item of this turn",
    ),
    (
        entry([item("C0", dependence=["C0"])]),
        "[0].checklists[0][0][0].dependence[0]",
        "`C0` depends on itself",
    ),
    (
        entry([item("A", dependence=["B"]), item("B", "Is it?", dependence=["A"])]),
        "[0].checklists[0][0][0].dependence",
        "runs in a circle",
    ),
    (entry([item("C0", weight=-1)]), "[0].checklists[0][0][0].weight", "found `-1`"),
    (entry([item("C0", weight=0)]), "[0].checklists[0][0][0].weight", "all weights of the turn"),
    (entry([item("C0", required_for_next_turn=1)]), "required_for_next_turn", "found `1`"),
    (entry([item("C0", failure_examples=[1])]), "failure_examples[0]", "found `1`"),
    (entry([item("C0", evidence=[{"from": SAID}])]), "evidence[0]", "`snippet` is missing"),
    (entry([item("C0")], tools=[tool("a"), tool("a")]), "[0].tools[1].function.name", "twice"),
    (entry([item("C0")], messages=[]), "[0].messages", "holds no user message"),
    (entry([item("C0")], messages=[{"role": "bot"}]), "[0].messages[0]", "`role` is"),
]


@pytest.mark.parametrize(("content", "path", "message"), FAULTS)
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, content: Any, path: str, message: str
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(content if isinstance(content, list) else [content]))
    with pytest.raises(SourceFault) as caught:
        cm2_json.read(file, Options())
    assert caught.value.file == str(file)
    assert caught.value.path.endswith(path)
    assert message in caught.value.message
    assert caught.value.help


def test_an_id_of_several_earlier_turns_says_too_little(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}] * 3
    turns = [[item("A")], [item("A")], [item("B", dependence=["A"])]]
    with pytest.raises(SourceFault, match="`A` is in several earlier turns"):
        specs_of(tmp_path, entry(*turns, messages=messages))


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    source = tmp_path / "rooms.json"
    source.write_text(json.dumps([entry([item("C0")], [])]))
    out = tmp_path / "specs"
    result = CliRunner().invoke(main, ["import", "cm2-json", str(source), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert (out / "rooms.cm2").is_file()


# --- the real one -----------------------------------------------------------------------------


@pytest.mark.skipif("CM2_DATA" not in os.environ, reason="CM2_DATA names no folder of real data")
def test_all_evidence_of_the_published_dialogue_becomes_anchors(tmp_path: Path) -> None:
    path = Path(os.environ["CM2_DATA"]) / "cm2/checklist_annotated.json"
    (spec,) = cm2_json.read(path, Options())
    (source,) = json.loads(path.read_text())
    cited = [len(one["evidence"]) for turn in source["checklists"][0] for one in turn]
    items = [each for turn in spec.tasks[0].turns for each in turn.items if isinstance(each, Item)]
    assert [len(each.anchors) for each in items] == cited
    assert spec.unsaid == ["`extra_info` of items is kept in the recordings"] * len(items)
    write_specs([spec], tmp_path)
