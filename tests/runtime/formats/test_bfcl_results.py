"""BFCL's result files: calls, words and thoughts of a model, and the official verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cm2.formats.bfcl import read
from cm2.formats.bfcl_text import read_step
from cm2.formats.record import Record, Reject
from cm2.formats.source import SourceFault
from cm2.trajectory import Step

NAME = "BFCL_v4_multi_turn_base_result.json"
SCORES = "BFCL_v4_multi_turn_base_score.json"


def save(path: Path, values: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def result(number: int, turns: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"multi_turn_base_{number}", "result": turns, **more}


def one(path: Path) -> Record:
    (record,) = read(path)
    assert isinstance(record, Record)
    return record


def calls(step: Step) -> list[tuple[str, Any]]:
    return [(call.tool, call.arguments) for call in step.calls]


def test_calls_are_read_whether_their_arguments_are_text_or_objects(tmp_path: Path) -> None:
    turns = [[[{"ls": "{}"}, {"cd": {"folder": "a"}}], "Here you are"], [[]]]
    record = one(save(tmp_path / NAME, [result(4, turns)]))
    dialogue = record.trajectory
    assert (dialogue.id, dialogue.task, record.line) == ("multi_turn_base_4",) * 2 + (1,)
    first, second = dialogue.turns
    assert calls(first.steps[0]) == [("ls", {}), ("cd", {"folder": "a"})]
    assert first.steps[1].reply == "Here you are"
    assert second.steps == (Step(),)
    assert (first.user, first.steps[0].calls[0].result) == ("", None)
    assert record.official is None


def test_arguments_that_are_no_object_are_kept_as_they_were_written(tmp_path: Path) -> None:
    record = one(save(tmp_path / NAME, [result(1, [[[{"cd": "{folder: a"}]]])]))
    (call,) = record.trajectory.turns[0].steps[0].calls
    assert (call.arguments, call.raw) == (None, "{folder: a")


def test_words_results_and_thoughts_come_from_the_log_where_there_is_one(tmp_path: Path) -> None:
    log = [
        [{"role": "state_info", "content": {}}],
        {
            "begin_of_turn_query": [{"role": "user", "content": "What is there?"}],
            "step_0": [
                {"role": "assistant", "content": [], "reasoning_content": "I look"},
                {"role": "handler_log", "content": "decoded"},
                {"role": "tool", "content": '{"error": "no folder"}'},
            ],
        },
    ]
    path = save(tmp_path / NAME, [result(1, [[[{"ls": "{}"}], "None"]], inference_log=log)])
    (turn,) = one(path).trajectory.turns
    assert turn.user == "What is there?"
    assert turn.steps[0].reasoning == "I look"
    assert turn.steps[0].calls[0].result == '{"error": "no folder"}'


@pytest.mark.parametrize(
    "text",
    [
        "[cd(folder='a'), ls()]",
        "cd(folder='a'), ls()",
        "```python\n[cd(folder='a'), ls()]\n```",
        '[{"name": "cd", "parameters": {"folder": "a"}}, {"name": "ls", "arguments": "{}"}]',
        '<tool_call>\n{"name": "cd", "arguments": {"folder": "a"}}\n</tool_call>\n'
        '<tool_call>{"name": "ls", "arguments": {}}',
    ],
)
def test_calls_that_a_model_wrote_as_text_are_calls(text: str) -> None:
    step = read_step(text, "t0s0")
    assert calls(step) == [("cd", {"folder": "a"}), ("ls", {})]
    assert [call.id for call in step.calls] == ["t0s0c0", "t0s0c1"]
    assert step.reply == ""


@pytest.mark.parametrize("text", ["Done.", "Which file?", "It is [1, 2]", "42", '{"a": 1}'])
def test_other_text_is_a_reply(text: str) -> None:
    assert read_step(text, "") == Step(reply=text)


@pytest.mark.parametrize("text", ["[cd(folder='a'", "<tool_call>{cd}</tool_call>"])
def test_text_that_begins_like_calls_and_is_none_is_malformed(text: str) -> None:
    assert read_step(text, "") == Step(malformed=text)


@pytest.mark.parametrize("text", ["", "[]", "```\n[]\n```"])
def test_an_empty_list_of_calls_says_nothing(text: str) -> None:
    assert read_step(text, "") == Step()


def test_calls_that_the_benchmark_could_not_run_have_no_arguments() -> None:
    step = read_step("[cd('a'), mv(source=name, destination='b')]", "")
    assert [(call.tool, call.arguments, call.raw) for call in step.calls] == [
        ("cd", None, "'a'"),
        ("mv", None, "source=name, destination='b'"),
    ]


def test_lines_that_are_no_dialogue_are_rejected_one_by_one(tmp_path: Path) -> None:
    good = result(1, [["Hello"]])
    path = save(tmp_path / NAME, [good, result(2, "Error during inference"), {"id": "x"}])
    path.write_text(path.read_text() + "{\n" + json.dumps(result(3, [[7]])) + "\n")
    records = list(read(path))
    assert [type(each) for each in records] == [Record, Reject, Reject, Reject, Reject]
    rejects = [each for each in records if isinstance(each, Reject)]
    assert [(each.line, each.path) for each in rejects] == [
        (2, "result"),
        (3, ""),
        (4, ""),
        (5, "result[0][0]"),
    ]
    assert all(each.reason and each.help for each in rejects)


# --- scores -----------------------------------------------------------------------------------


def header(total: int, correct: int) -> dict[str, Any]:
    return {"accuracy": correct / total, "correct_count": correct, "total_count": total}


FAILED = {"id": "multi_turn_base_2", "valid": False, "error": {"error_type": "x"}}


@pytest.mark.parametrize(
    ("results", "scores"),
    [
        (f"out/{NAME}", f"out/{SCORES}"),
        (f"result/model/multi_turn/{NAME}", f"score/model/multi_turn/{SCORES}"),
        (f"result-2/model/{NAME}", f"score-2/model/{SCORES}"),
    ],
)
def test_the_score_file_is_found_and_lists_what_failed(
    tmp_path: Path, results: str, scores: str
) -> None:
    path = save(tmp_path / results, [result(1, [["a"]]), result(2, [["b"]])])
    save(tmp_path / scores, [header(2, 1), FAILED])
    rewards = [
        each.official.reward for each in read(path) if isinstance(each, Record) and each.official
    ]
    assert rewards == [1.0, 0.0]


def test_a_score_file_of_other_results_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / NAME, [result(1, [["a"]])])
    for lines, message in (
        ([header(2, 1), FAILED], "this is the score of 2 entries, and the results have 1"),
        ([header(1, 1), FAILED], "0 entries failed, and 1 are listed"),
        ([], "the score file is empty"),
    ):
        score = save(tmp_path / "other.json", lines)
        with pytest.raises(SourceFault, match=message):
            list(read(path, score))
