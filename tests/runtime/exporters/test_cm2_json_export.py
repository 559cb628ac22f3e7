"""`cm2 export cm2-json`: what was imported comes back, other specs as far as the format goes."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from annotated_dialogues import dialogues, item, tea
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings

from cm2.annotated import same
from cm2.bundle import compile_bundle
from cm2.cli import main
from cm2.exporters import ExportError, exporters
from cm2.exporters.cm2_json import write
from cm2.importers import cm2_json
from cm2.importers.options import Options
from cm2.importers.write import write_specs

SPECS = Path(__file__).parents[3] / "specs"


def imported(source: Any, folder: Path) -> list[Path]:
    (folder / "in.json").write_text(json.dumps(source))
    return write_specs(cm2_json.read(folder / "in.json", Options()), folder / "out")


def exported(path: Path) -> Any:
    return json.loads(write(path).text)


def again(source: Any, folder: Path) -> Any:
    """What becomes of a file that is imported and exported."""
    return [entry for path in imported(source, folder) for entry in exported(path)]


def spec(folder: Path, body: str, recordings: list[Any] | None = None) -> Path:
    """A spec of one task, in a folder."""
    (folder / "tools.json").write_text(
        json.dumps([{"name": "buy", "parameters": {"properties": {"n": {"type": "integer"}}}}])
    )
    lines = [json.dumps(each) for each in recordings or ()]
    (folder / "rec.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "shop.cm2"
    path.write_text(f'cm2 1\ndomain shop\ntools "tools.json"\ntask t {{\n{body}\n}}\n')
    return path


# --- there and back ---------------------------------------------------------------------------


def test_what_was_imported_comes_back(tmp_path: Path) -> None:
    assert same(again([tea()], tmp_path), [tea()])


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(dialogues())
def test_any_annotated_dialogues_come_back(source: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        back = again(source, Path(name))
    key = json.dumps
    assert sorted(map(key, map(_sorted, back))) == sorted(map(key, map(_sorted, source)))


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


def test_weights_come_back_as_written_where_they_do_not_sum_to_1(tmp_path: Path) -> None:
    source = tea()
    source["checklists"] = [
        [[item(f"C{i}", f"Is it {i}?", weight=weight) for i, weight in enumerate((0.1, 3, 1e-7))]]
    ]
    assert same(again([source], tmp_path), [source])


def test_a_bundle_is_exported_as_its_spec_is(tmp_path: Path) -> None:
    source = tea()
    source["checklists"].pop()
    (path,) = imported([source], tmp_path)
    compile_bundle(path, tmp_path / "bundle")
    assert exported(tmp_path / "bundle") == [source]


def test_what_is_changed_in_the_spec_is_what_is_written(tmp_path: Path) -> None:
    source = tea()
    first = source["checklists"][0][0][0]
    first |= {"id": "stock", "focus_on": "the.call", "extra_info": {"price": 1}}
    (path,) = imported([source], tmp_path)
    text = path.read_text()
    text = text.replace("Did the assistant look at the stock?", "Is the stock looked at?")
    text = text.replace("focus  tool_call", "focus  reasoning").replace("weight 0.5", "weight 7")
    path.write_text(text.replace('anchor tool_result "\\"name\\": \\"Assam\\""', ""))
    made = exported(path)[0]["checklists"][0][0]
    wanted = {
        "question": "Is the stock looked at?",
        "focus_on": "assistant.content.thinking",
        "weight": 7,
    }
    assert made[0] == first | wanted
    assert made[1]["evidence"] == []


def test_an_item_that_is_renamed_loses_what_was_kept_of_it_and_that_is_said(tmp_path: Path) -> None:
    source = tea()
    source["checklists"] = [[[item("C0", "Does it go?", extra_info=1)]]]
    (path,) = imported([source], tmp_path)
    path.write_text(path.read_text().replace("item goes", "item runs"))
    made = write(path)
    assert "extra_info" not in json.loads(made.text)[0]["checklists"][0][0][0]
    assert any("left something in the recording" in line for line in made.lost)


# --- specs that were never imported -----------------------------------------------------------

SHOP = """
  reference "rec.jsonl"
  turn ask {
    user "Two, please"
    item buys weight 2 strict { check called buy(n == 2) }
    item says after buys { ask "Does it say so?" pass "It says so" pass "Or so" anchor reply "two" }
    at_end ends { check reply contains "two" ask "Is two said last?" }
    never overbuys veto { check called buy(n > 2) at_least 1 time or reply matches /three/ }
    always calm penalty 0.5 { check not reply contains "!" }
  }
  item polite { ask "Is it polite?" }
"""
BOUGHT = {
    "id": "r1",
    "task": "t",
    "messages": [
        {"role": "user", "content": "Two, please"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "function": {"name": "buy", "arguments": '{"n": 2}'}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
        {"role": "assistant", "content": "You have two"},
    ],
}


def test_a_check_becomes_a_question(tmp_path: Path) -> None:
    (entry,) = exported(spec(tmp_path, SHOP, [BOUGHT]))
    ((items,),) = entry["checklists"]
    assert [one["question"] for one in items] == [
        "Is this so at some step of the turn: the assistant called buy with n equal to 2?",
        "Does it say so?",
        "Is two said last?",
        "Is it true that this never becomes so in the turn: the assistant called buy with n more"
        " than 2 at least 1 time or the reply matches the regular expression /three/?",
        'Is this so after every step of the turn: it is not so that the reply says "!"?',
    ]
    assert items[0]["pass_condition"] == "The assistant called buy with n equal to 2."
    assert [one["weight"] for one in items] == [2, 1, 1, 0, 0]
    assert [one["dependence"] for one in items] == [[], ["C0"], [], [], []]
    assert items[0]["required_for_next_turn"] is True
    assert items[1]["pass_condition"] == "It says so\nOr so"
    assert items[1]["evidence"] == [
        {
            "turn": 0,
            "step": 3,
            "from": "assistant.content.user_visible_reply",
            "snippet": "two",
        }
    ]


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    lost = "\n".join(write(spec(tmp_path, SHOP, [BOUGHT])).lost)
    for part in (
        "its check is made a question: `t.ask.buys`, `t.ask.overbuys`, `t.ask.calm`",
        "the check of an item that has a question too: `t.ask.ends`",
        "that an item is `at_end`: `t.ask.ends`",
        "that an item is a `veto`: `t.ask.overbuys`",
        "the `penalty` of an item: `t.ask.calm`",
        "several pass conditions: they are lines of one: `t.ask.says`",
        "no items of the whole dialogue: `t.dialogue.polite`",
    ):
        assert part in lost


def test_without_a_recording_the_user_speaks_alone(tmp_path: Path) -> None:
    body = 'turn ask { user "Two" item buys { check called buy } }'
    made = write(spec(tmp_path, body))
    assert json.loads(made.text)[0]["messages"] == [
        {"role": "user", "content": "Two", "tool_calls": []}
    ]
    assert made.lost[0].startswith("without a recording")


def test_a_task_without_scripted_turns_has_no_place(tmp_path: Path) -> None:
    body = 'user simulated "Buy two" item buys { check called buy }'
    with pytest.raises(ExportError, match="no task that the format has a place for"):
        write(spec(tmp_path, body))


@pytest.mark.parametrize("name", ["tutor", "挂号"])
def test_the_shipped_specs_are_written_and_can_be_imported_again(name: str, tmp_path: Path) -> None:
    made = write(SPECS / f"{name}.cm2")
    assert made.lost
    source = json.loads(made.text)
    assert len(source) > 1
    assert sorted(map(json.dumps, again(source, tmp_path))) == sorted(map(json.dumps, source))


# --- the command ------------------------------------------------------------------------------


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_the_command_writes_the_file_and_says_what_is_lost(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    result = run("cm2-json", spec(tmp_path, SHOP, [BOUGHT]), "-o", out)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "lost: that an item is a `veto`: `t.ask.overbuys`" in result.stderr
    assert json.loads(out.read_text())[0]["uuid"] == "r1"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.parametrize(
    ("format", "body", "message"),
    [
        ("cm2json", SHOP, "there is no format `cm2json`"),
        ("cm2-json", "turn", "error"),
        ("cm2-json", 'user simulated "x" item a { check replied }', "no task that the format"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(
    tmp_path: Path, format: str, body: str, message: str
) -> None:
    out = tmp_path / "out.json"
    out.write_text("before")
    result = run(format, spec(tmp_path, body, [BOUGHT]), "-o", out)
    assert result.exit_code == 2
    assert message in result.stderr
    assert out.read_text() == "before"


def test_a_library_and_a_folder_that_is_no_bundle_are_refused(tmp_path: Path) -> None:
    library = tmp_path / "library.cm2"
    library.write_text('cm2 1\ntemplate a() { ask "?" }\n')
    for path in (library, tmp_path):
        result = run("cm2-json", path, "-o", tmp_path / "out.json")
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "out.json"
    result = run("cm2-json", spec(tmp_path, SHOP, [BOUGHT]), "-o", out)
    assert (result.exit_code, f"`{out}`" in result.stderr) == (2, True)


def test_the_help_lists_the_formats() -> None:
    result = run("--help")
    for name, module in exporters().items():
        assert f"{name}  {module.HELP}" in result.stdout


# --- the real one -----------------------------------------------------------------------------


@pytest.mark.skipif("CM2_DATA" not in os.environ, reason="CM2_DATA names no folder of real data")
def test_the_published_dialogue_comes_back_item_by_item(tmp_path: Path) -> None:
    source = json.loads((Path(os.environ["CM2_DATA"]) / "cm2/checklist_annotated.json").read_text())
    back = again(source, tmp_path)
    pairs = [
        (theirs, ours)
        for one, other in zip(source, back, strict=True)
        for theirs, ours in zip(_items(one), _items(other), strict=True)
    ]
    assert len(pairs) == 14
    for theirs, ours in pairs:
        assert same(theirs, ours)
    assert same(source, back)


def _items(entry: Any) -> list[Any]:
    return [one for variant in entry["checklists"] for turn in variant for one in turn]
