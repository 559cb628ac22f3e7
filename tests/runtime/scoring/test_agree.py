"""Agreement with official results: what is compared, what is not, and where it is listed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from score_runs import (
    NO_NUMPY,
    PIECES,
    SPEC,
    dialogue,
    names,
    records,
    score,
    score_here,
    started,
    wait_for_pieces,
    write_dialogues,
    write_spec,
)

COUNT = 2000


def written(folder: Path, *dialogues: Any, name: str = "chat.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in dialogues))
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path)


def test_without_numpy_nothing_is_scored_for_agreement(spec: Path, tmp_path: Path) -> None:
    chat = write_dialogues(tmp_path / "chat.jsonl", 3)
    run = score(spec, chat, "--agree", "-o", tmp_path / "rows.jsonl", before=NO_NUMPY)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [
        "error: --agree needs numpy",
        "  = help: pip install 'cm2dsl[agree]'",
    ]
    assert run.stdout == ""
    assert names(tmp_path) == ["chat.jsonl", "spec.cm2", "tools.json"]
    assert score(spec, chat, before=NO_NUMPY).returncode == 0


SAYS_NOTHING: list[tuple[Any, str, str]] = [
    (True, "official", "`true`"),
    ({}, "official.reward", "missing or null"),
    ({"reward": "1"}, "official.reward", '`"1"`'),
    ({"reward": True}, "official.reward", "`true`"),
    ({"reward": 1.5}, "official.reward", "`1.5`"),
    ({"reward": -1}, "official.reward", "`-1`"),
    ({"reward": 1, "items": ["polite"]}, "official.items", '`["polite"]`'),
    ({"reward": 1, "items": {"polite": 1}}, "official.items.polite", "`1`"),
]


@pytest.mark.parametrize("as_list", [False, True])
def test_an_official_result_that_says_nothing_is_a_reject(
    as_list: bool, spec: Path, tmp_path: Path
) -> None:
    wrong = [dialogue(n, official=one) for n, (one, _, _) in enumerate(SAYS_NOTHING, 1)]
    dialogues = [*wrong, dialogue(99)]
    chat = written(tmp_path, *([dialogues] if as_list else dialogues))
    run = score_here(spec, chat, "--agree", "-o", tmp_path / "rows.jsonl")
    assert run.exit_code == 1, run.stderr
    found = [
        (one["line"], one["path"], one["reason"], one["help"].partition(" ")[0])
        for one in records(tmp_path / "rows.rejects.jsonl")
    ]
    assert found == [
        (
            None if as_list else n,
            path,
            f"{f'dialogue `d{n}`: ' * as_list}found {value}",
            "expected",
        )
        for n, (_, path, value) in enumerate(SAYS_NOTHING, 1)
    ]


def test_nan_is_no_official_reward(spec: Path, tmp_path: Path) -> None:
    chat = written(tmp_path, dialogue(1), dialogue(2, official={"reward": float("nan")}))
    run = score_here(spec, chat, "--agree")
    assert run.exit_code == 1
    assert "chat.jsonl:2: rejected: `NaN` is not JSON" in run.stderr


def test_what_is_not_compared_is_said(spec: Path, tmp_path: Path) -> None:
    unknown = {"reward": 1, "items": {"polite": True, "u.searches": True, "kind": True}}
    chat = written(tmp_path, dialogue(1), dialogue(2, official=unknown), dialogue(3, official=None))
    said = score_here(spec, chat, "--agree").stdout
    assert "items with an official verdict that the spec has not: 1 (t.kind)\n" in said
    without = "1 of 3 dialogues, which have no official result of their task, or no reward"
    assert f"not compared: {without}\n" in said
    assert "t.polite " in said
    assert "t.u.searches " in said


def test_without_an_official_result_there_is_no_table(spec: Path, tmp_path: Path) -> None:
    said = score_here(spec, written(tmp_path, dialogue(1, official=None)), "--agree").stdout
    assert "no dialogue has a reward and an official result to agree with" in said


def test_files_of_the_same_name_are_told_apart(spec: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    run = score_here(spec, write_dialogues(tmp_path / "a" / "chat.jsonl", 6), "--agree").stdout
    assert "\nchat.jsonl " in run
    both = [write_dialogues(tmp_path / f / "chat.jsonl", 6) for f in "ab"]
    said = score_here(spec, *both, "--agree").stdout
    _, _, after = said.partition("\nfile ")
    counts = [line.split()[-10] for line in after.splitlines()[2:5]]
    assert counts == ["6", "6", "12"]
    assert f"\n{both[0]} " in said


def expected(count: int) -> list[str]:
    """The dialogues of which ours and the official verdict differ, on the reward or on an item."""
    differ = []
    for number in range(count):
        searches, says, polite = number % 3 > 0, number % 4 > 0, number % 5 > 0
        success = searches and says and polite
        if success != (number % 2 == 1) or not searches:
            differ.append(f"d{number}")
    return differ


def test_all_disagreements_are_listed_with_their_evidence(spec: Path, tmp_path: Path) -> None:
    chat, listed = write_dialogues(tmp_path / "chat.jsonl", 100), tmp_path / "differ.jsonl"
    run = score_here(spec, chat, "--agree", "--disagreements", listed)
    assert run.exit_code == 0, run.stderr
    assert "disagreements (the first 20; " in run.stdout
    found = records(listed)
    assert [one["id"] for one in found] == expected(100)
    (second,) = [one for one in found if one["id"] == "d2"]
    assert (second["task"], second["official"]) == ("t", 0)
    assert second["evidence"]["u.searches"] == [{"segment": "t0.s0.tool_call"}]
    (third,) = [one for one in found if one["id"] == "d3"]
    assert third["other_items"] == ["u.searches"]
    assert not listed.with_name("differ.jsonl.partial").exists()


def test_a_run_that_goes_on_has_the_disagreements_from_before(spec: Path, tmp_path: Path) -> None:
    chat, out = write_dialogues(tmp_path / "chat.jsonl", COUNT), tmp_path / "rows.jsonl"
    listed = tmp_path / "differ.jsonl"
    run = (spec, chat, "-o", out, "--agree", "--disagreements", listed, "--jobs", 2)
    with started(*run) as process:
        wait_for_pieces(out, process)
        assert not listed.exists()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    other = score(*run[:-4], "--disagreements", tmp_path / "other.jsonl", before=PIECES)
    assert other.returncode == 2
    assert "is of a run with other options" in other.stderr
    again = score(*run, before=PIECES)
    assert again.returncode == 0, again.stderr
    assert "going on after " in again.stderr
    assert [one["id"] for one in records(listed)] == expected(COUNT)


def test_what_is_printed_is_the_first_also_where_no_file_was_asked_for(
    spec: Path, tmp_path: Path
) -> None:
    chat, out = write_dialogues(tmp_path / "chat.jsonl", COUNT), tmp_path / "rows.jsonl"
    run = (spec, chat, "-o", out, "--agree")
    with started(*run) as process:
        wait_for_pieces(out, process)
        process.kill()
        process.wait(timeout=30)
    again = score(*run, before=PIECES)
    assert "going on after " in again.stderr
    assert again.stdout == score(*run).stdout
    assert names(tmp_path) == ["chat.jsonl", "rows.jsonl", "spec.cm2", "tools.json"]


def test_disagreements_are_no_option_without_agreement(spec: Path, tmp_path: Path) -> None:
    chat = write_dialogues(tmp_path / "chat.jsonl", 3)
    run = score_here(spec, chat, "--disagreements", tmp_path / "differ.jsonl")
    assert run.exit_code == 2
    assert "= help: add --agree" in run.stderr


def test_only_criteria_of_a_benchmark_are_grouped_by_their_kind(tmp_path: Path) -> None:
    items = ["action_0", "action_1", "communicate_0", "says_5", "says_7"]
    body = " ".join(f"item {name} {{ check replied }}" for name in items)
    text = f'cm2 1 domain d tools "tools.json" task t {{ turn u {{ user "go" }} {body} }}'
    official = {"reward": 1, "items": dict.fromkeys(items, True) | {"action_1": False}}
    chat = written(tmp_path, dialogue(1, official=official))
    said = score_here(write_spec(tmp_path, text), chat, "--agree").stdout
    table = said.partition("\nitem ")[2].partition("\nitem ")[2]
    assert [line.split()[:2] for line in table.splitlines()[2:6]] == [
        ["action_N", "2"],
        ["communicate_N", "1"],
        ["t.says_5", "1"],
        ["t.says_7", "1"],
    ]
    assert "\nt.action_1  1 " in table
    assert "t.action_0" not in table


def test_one_item_without_a_judge_is_one_item(tmp_path: Path) -> None:
    text = SPEC.replace(
        'item polite { check reply contains "please" }', 'item kind { ask "Kind?" }'
    )
    said = score_here(write_spec(tmp_path, text), written(tmp_path, dialogue(1))).stdout
    assert "no judge: 1 item with an `ask` is left out of the weights (t.dialogue.kind); " in said
