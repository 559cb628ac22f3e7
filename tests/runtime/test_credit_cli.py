"""`cm2 credit` on good and on bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from credit_groups import Group, groups
from hypothesis import given, settings

from cm2.cli import main
from cm2dsl.reward.credit import assign

ISSUE = (
    '{"task": {"turns": [{"name": "t0", "items": '
    '[{"id": "a", "weight": 2, "after": [], "strict": false}]}]},'
    ' "rollouts": [{"turns": [[{"a": false}, {"a": true}]]}, {"turns": [[{"a": false}]]}]}'
)


def credit(text: str | bytes, *options: str) -> Result:
    return CliRunner().invoke(main, ["credit", "-", "--level", "turn", *options], input=text)


def group(*items: dict[str, Any], rollouts: list[Any] | None = None, **task: Any) -> str:
    turns = [{"name": "t0", "items": list(items)}]
    return json.dumps({"task": {"turns": turns, **task}, "rollouts": rollouts or []})


def test_a_file_of_groups_becomes_one_line_a_group(tmp_path: Path) -> None:
    file = tmp_path / "groups.jsonl"
    file.write_text(f"{ISSUE}\n\n{ISSUE}")
    done = subprocess.run(
        [sys.executable, "-c", "import cm2.cli; cm2.cli.main()", "credit", file, "--level", "turn"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {
            "rollouts": [
                {"reward": 1.0, "turn_rewards": [1.0], "advantages": [[0.5, 0.5]]},
                {"reward": 0.0, "turn_rewards": [0.0], "advantages": [[-0.5]]},
            ]
        }
    ] * 2


def test_the_example_of_the_documentation_is_true() -> None:
    page = Path(__file__).parents[2] / "docs" / "credit.md"
    blocks = page.read_text(encoding="utf-8").split("\n\n")
    given, expected = (block for block in blocks if block.startswith("    {"))
    done = credit(given.replace("\n", ""), "--level", "step")
    assert json.loads(done.stdout) == json.loads(expected)


def test_an_error_is_written_as_null_and_as_zeros() -> None:
    text = group({"id": "a"}, rollouts=[{"turns": [[{"a": None}]]}, {"turns": [[{"a": True}]]}])
    done = credit(text)
    assert json.loads(done.stdout)["rollouts"] == [
        {"reward": None, "turn_rewards": [None], "advantages": [[0.0]]},
        {"reward": 1.0, "turn_rewards": [1.0], "advantages": [[0.0]]},
    ]


def test_a_line_with_every_optional_key_is_read() -> None:
    text = group(
        {"id": "a", "weight": 0.5, "after": [], "strict": True},
        {"id": "n", "weight": 0, "veto": True, "penalty": 0.25},
        rollouts=[{"turns": [[{"a": True, "n": False}]], "dialogue": [{"d": True}]}],
        items=[{"id": "d", "after": ["t0.a"]}],
    )
    done = credit(text, "--at", "t0, dialogue", "--scale", "std", "--baseline", "reached")
    assert json.loads(done.stdout) == {
        "rollouts": [{"reward": 0.0, "turn_rewards": [0.0, 0.0], "advantages": [[0.0]]}]
    }


@settings(max_examples=50, deadline=None)
@given(groups())
def test_the_command_writes_what_assign_returns(case: Group) -> None:
    def items(source: Any) -> list[dict[str, Any]]:
        return [
            {"id": i.id, "weight": i.weight, "after": list(i.after), "veto": i.veto}
            | ({"penalty": i.penalty} if i.penalty else {})
            for i in source.items
        ]

    task = {
        "turns": [{"name": turn.name, "items": items(turn)} for turn in case.task.turns],
        "items": items(case.task),
    }
    rollouts = [{"turns": r.turns, "dialogue": r.dialogue} for r in case.rollouts]
    done = credit(json.dumps({"task": task, "rollouts": rollouts}), "--level", "step")
    expected = assign(case.task, case.rollouts, level="step")
    assert json.loads(done.stdout)["rollouts"] == [
        {"reward": c.reward, "turn_rewards": c.turn_rewards, "advantages": c.advantages}
        for c in expected
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "{",
            "not JSON at column 2: expecting property name enclosed in double quotes\n"
            "  = help: write one JSON value",
        ),
        (b"\xff", "not UTF-8: byte 1 is 0xff\n  = help: save the text as UTF-8"),
        ("[" * 100_000, "nested too deeply to read\n  = help: write it flatter"),
        ("[1]", "found `[1]`\n  = help: expected an object"),
        ('{"task": NaN}', "`NaN` is not JSON\n  = help: write a finite number or null"),
        ('{"a": 1e999}', "the number `1e999` is too large\n  = help: write one that fits a double"),
        (
            '{"task": {"turns": []}, "task": 1}',
            "the key `task` occurs twice in one object\n  = help: keep one of them",
        ),
        (
            r'{"task": "\ud800"}',
            "a string holds half a surrogate pair\n  = help: write the whole character",
        ),
        ("{}", "`task` is missing\n  = help: the keys here are `task`, `rollouts`"),
        (
            group({"id": "a", "wieght": 2}),
            "task.turns[0].items[0]: unknown key `wieght`\n  = help: did you mean `weight`?",
        ),
        (
            group({"id": "a", "weight": "2"}),
            'task.turns[0].items[0].weight: found `"2"`\n  = help: expected a number',
        ),
        (
            group({"id": "a", "weight": True}),
            "task.turns[0].items[0].weight: found `true`\n  = help: expected a number",
        ),
        (
            group({"id": "a", "strict": 1}),
            "task.turns[0].items[0].strict: found `1`\n  = help: expected true or false",
        ),
        (
            group({"id": "a", "weight": -1}),
            "item `t0.a` has the weight -1.0\n  = help: a weight is 0 or more",
        ),
        (
            group({"id": "a", "penalty": 2}),
            "item `t0.a` has the penalty 2.0\n  = help: a penalty is 0 to 1",
        ),
        (
            group({"id": "a", "weight": 0}),
            "the weights of turn `t0` are all zero\n  = help: give one of its items a weight",
        ),
        (
            group({"id": "a"}, {"id": "a"}),
            "there are two items in turn `t0` named `a`\n  = help: rename one of them",
        ),
        (
            group({"id": "route"}, {"id": "b", "after": ["rout"]}),
            "`after` of `t0.b` names `rout`, which is no item of its turn or an earlier one\n"
            "  = help: did you mean `t0.route`?",
        ),
        (
            group({"id": "a", "after": ["b"]}, {"id": "b", "after": ["a"]}),
            "an item waits for itself: `t0.",
        ),
        (
            group({"id": "a"}, rollouts=[{"turns": [[{"a": True}], []]}]),
            "rollouts[0].turns: 2 turns, but the task has 1\n"
            "  = help: a rollout has at most one entry a turn of the task",
        ),
        (
            group({"id": "a"}, rollouts=[{"turns": [[{"a": 1}]]}]),
            "rollouts[0].turns[0][0].a: found `1`\n"
            "  = help: expected true or false (or null for an error)",
        ),
        (
            group({"id": "a"}, rollouts=[{"turns": [[{}]]}]),
            "rollouts[0].turns[0][0]: no verdict on item `a`\n"
            "  = help: give true, false, or null for an error",
        ),
        (
            group({"id": "a"}, rollouts=[{"turns": [[{"a": True, "b": True}]]}]),
            "rollouts[0].turns[0][0]: there is no item `b`\n  = help: there is `a`",
        ),
        (
            group({"id": "a"}, rollouts=[{"turns": [[{"a": True}]]}], items=[{"id": "d"}]),
            "rollouts[0].dialogue: 0 steps, but its turns have 1\n"
            "  = help: give the verdicts on task-scope items after every step",
        ),
        (
            group({"id": "a"}, rollouts=[{"turns": [{"a": True}]}]),
            'rollouts[0].turns[0]: found `{"a": true}`\n  = help: expected a list',
        ),
    ],
)
def test_a_malformed_line_is_named_and_nothing_is_written(line: str | bytes, message: str) -> None:
    wrong = line if isinstance(line, bytes) else line.encode()
    done = credit(ISSUE.encode() + b"\n\n" + wrong + b"\n" + ISSUE.encode())
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"<stdin>:3: error: {message}")
    assert "Traceback" not in done.stderr


def test_the_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text("{}")
    done = CliRunner().invoke(main, ["credit", str(file), "--level", "turn"])
    assert done.stderr.startswith(f"{file}:1: error: `task` is missing")


def test_every_wrong_line_is_reported_up_to_a_bound() -> None:
    done = credit("{}\n" * 25)
    assert done.stderr.count("error: `task` is missing") == 20
    assert done.stderr.endswith("and 5 more\n")


def test_an_unknown_turn_in_at_is_refused_with_the_line() -> None:
    done = credit(ISSUE, "--at", "t1")
    assert done.exit_code == 2
    assert done.stderr == "<stdin>:1: error: the task has no turn `t1`\n  = help: there is `t0`\n"


def test_a_number_too_large_for_a_double_is_refused() -> None:
    done = credit(group({"id": "a", "weight": 10**400}))
    assert done.exit_code == 2
    assert "task.turns[0].items[0].weight: found `1000" in done.stderr


def test_a_byte_order_mark_and_blank_lines_are_no_fault() -> None:
    assert credit(b"\xef\xbb\xbf" + ISSUE.encode() + b"\r\n \n").exit_code == 0
    assert credit("").stdout == ""


def test_a_large_group_takes_about_a_second() -> None:
    items = [{"id": f"i{k}", "after": [f"i{k - 1}"] if k % 3 else []} for k in range(20)]
    step = {item["id"]: k % 2 == 0 for k, item in enumerate(items)}
    rollouts = [{"turns": [[step] * 10]}] * 1000
    done = credit(group(*items, rollouts=rollouts), "--level", "step")
    assert len(json.loads(done.stdout)["rollouts"]) == 1000
