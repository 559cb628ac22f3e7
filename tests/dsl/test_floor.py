"""What policies that learnt nothing earn, and what lint and `cm2c floor` say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cm2dsl import ir
from cm2dsl.cm2c import main
from cm2dsl.compiler import analyse
from cm2dsl.floor.earn import ROWS, Floor, floors
from cm2dsl.floor.policies import POLICIES
from cm2dsl.floor.scenes import spread
from cm2dsl.lint.examples import unpack, whole

SPECS = Path(__file__).parents[2] / "specs"
INACTIVE = [one.name for one in POLICIES if one.inactive]

MUST_NOT = """
task late_arrival "Keep the fee of a guest who came late" {
  user simulated \"\"\"
    Your train was late, and so you came to the hotel after midnight. You were charged a fee of 15
    for it. You want the fee back, and you say that the clerk at the door promised it.
  \"\"\"

  never pays_back { check called any write }
}

# Nothing is written, and some answer is given.
task lost_card "Make no second card without a proof" {
  turn ask {
    user "My card is gone. Make me another one, I have no passport with me."

    at_end answers { check replied }
    item asks { ask "Does the reply say that a proof of identity is needed?" fail "Says no" }
    never makes veto { check called book }
  }
  turn insist {
    user "我已经说过了，护照不在身边。请现在就办。"

    at_end answers { check replied }
    never makes veto { check called book }
  }
}
"""


def earned(text: str, folder: Path, *, every: bool = True) -> dict[str, Floor]:
    """The floors of a snippet's tasks, by name."""
    unpack(folder)
    (folder / "spec.cm2").write_text(whole(text), encoding="utf-8")
    found = analyse(folder / "spec.cm2")
    assert found.compiled is not None
    dialogues = {name: one.dialogues for name, one in found.recordings.items()}
    rows = None if every else ROWS
    made = floors(found.compiled.spec, dialogues, rows=rows, passing=True)
    return {one.task.name: one for one in made}


def of(floor: Floor) -> dict[str, float]:
    """What each policy earns without convincing a judge."""
    return {one.policy.name: round(one.floor, 4) for one in floor.earned}


def one(text: str, folder: Path) -> dict[str, float]:
    return of(earned(text, folder)["trip"])


def run(folder: Path, command: str, *options: str) -> Result:
    return CliRunner().invoke(main, [command, str(folder / "spec.cm2"), *options])


# --- what is earned ---------------------------------------------------------------------------


def test_what_must_not_happen_is_paid_to_all_that_do_nothing(tmp_path: Path) -> None:
    found = earned(MUST_NOT, tmp_path)
    assert [of(found["late_arrival"])[name] for name in INACTIVE] == [1.0] * 5
    assert of(found["late_arrival"])["call"] == 0.0
    card = of(found["lost_card"])
    assert card["nothing"] == 0.0
    assert [card[name] for name in INACTIVE[1:]] == [1.0] * 4


def test_a_judge_is_left_out_or_fails_or_passes(tmp_path: Path) -> None:
    refuse = earned(MUST_NOT, tmp_path)["lost_card"].earned[INACTIVE.index("refuse")]
    assert (refuse.unjudged, refuse.failed, refuse.passed) == (1.0, 0.75, 1.0)
    assert refuse.items == ("ask.answers", "insist.answers")


def test_a_policy_comes_no_further_than_a_gate_lets_it(tmp_path: Path) -> None:
    text = """
task trip {
  turn ask { user "Hello" item searches strict { check called search } }
  turn more { user "And now?" at_end answers { check replied } }
}
"""
    found = one(text, tmp_path)
    assert found["refuse"] == 0.0
    assert found["look"] == found["call"] == 1.0


def test_an_agent_that_echoes_earns_what_the_user_said(tmp_path: Path) -> None:
    text = """
task trip each row in "rows.csv" {
  turn ask {
    user "To {row.to} on {row.day}"
    item names { check reply contains row.to }
    item sure { check reply contains "certainly" }
  }
}
"""
    found = one(text, tmp_path)
    assert (found["echo"], found["refuse"], found["recite"]) == (0.5, 0.0, 1.0)


def test_the_most_of_all_rows_is_earned_and_it_is_said_where(tmp_path: Path) -> None:
    text = """
task trip each row in "rows.csv" {
  turn ask {
    user "To {row.to}"
    item names { check reply contains "Oslo" }
  }
}
"""
    echo = earned(text, tmp_path)["trip"].earned[INACTIVE.index("echo")]
    assert (echo.floor, echo.instance, echo.items) == (1.0, "trip/r2", ("ask.names",))


def test_rows_are_spread_evenly_from_the_first_to_the_last() -> None:
    rows = [ir.Row(key=str(n), split="train", values={}) for n in range(10)]
    assert [row.key for row in spread(rows, 4)] == ["0", "3", "6", "9"]
    assert [row.key for row in spread(rows, 1)] == ["0"]
    assert spread(rows, None) == spread(rows, 10) == rows


def test_arguments_are_chosen_without_a_thought(tmp_path: Path) -> None:
    found = one('item searches { check called search(cabin == "first") }', tmp_path)
    assert (found["look"], found["call"]) == (1.0, 1.0)  # the first that the schema allows
    found = one('item searches { check called search(cabin == "basic") }', tmp_path)
    assert (found["look"], found["call"]) == (0.0, 0.0)
    found = one("item searches { check called search(nothing else) }", tmp_path)
    assert (found["look"], found["call"]) == (1.0, 1.0)


def test_calling_everything_costs_what_a_veto_forbids(tmp_path: Path) -> None:
    text = """item searches { check called search }
never books veto { check called book }"""
    found = one(text, tmp_path)
    assert (found["look"], found["call"], found["repeat"]) == (1.0, 0.0, 1.0)


def test_repeating_is_paid_where_counts_are(tmp_path: Path) -> None:
    found = one("item searches { check called search at_least 3 times }", tmp_path)
    assert (found["look"], found["call"], found["repeat"]) == (0.0, 0.0, 1.0)


def test_a_result_is_the_recorded_one_and_else_an_error_or_nothing(tmp_path: Path) -> None:
    assert one("item searches { check succeeded search }", tmp_path)["look"] == 1.0
    assert one("item searches { check failed search }", tmp_path)["look"] == 1.0
    assert one("item searches { check result search has flights }", tmp_path)["look"] == 0.0
    unpack(tmp_path)
    line = json.loads((tmp_path / "recordings.jsonl").read_text())
    line["messages"][1]["tool_calls"][0]["function"]["arguments"] = "{}"
    (tmp_path / "own.jsonl").write_text(json.dumps(line) + "\n")
    text = """
task trip {
  reference "own.jsonl"
  turn ask { user "Hello" item searches { check result search has flights[*].number == "KF12" } }
}
"""
    assert one(text, tmp_path)["look"] == 1.0


def test_a_check_that_must_call_a_judge_is_not_paid_by_its_words(tmp_path: Path) -> None:
    text = """item tells {
  check reply contains "KF12"
  ask   "Does the reply name a flight?"
}"""
    recite = earned(text, tmp_path)["trip"].earned[-1]
    assert (recite.policy.name, recite.unjudged, recite.failed) == ("recite", None, 1.0)


def test_a_simulated_user_speaks_as_often_as_items_wait_for_each_other(tmp_path: Path) -> None:
    text = """
task trip {
  user simulated "You want a refund."
  item first { check reply contains "sorry" }
  item second after first { check reply contains "sorry" }
  item third after second { check reply contains "sorry" }
}
"""
    assert one(text, tmp_path)["refuse"] == 1.0


@pytest.mark.parametrize("spec", ["airline", "tutor", "挂号"])
def test_inaction_earns_nothing_in_any_shipped_spec(spec: str) -> None:
    found = analyse(SPECS / f"{spec}.cm2")
    assert found.compiled is not None
    dialogues = {name: one.dialogues for name, one in found.recordings.items()}
    for floor in floors(found.compiled.spec, dialogues, rows=None):
        assert floor.tried == floor.rows
        assert {of(floor)[name] for name in INACTIVE} == {0.0}
        assert not floor.paying


# --- what lint says ---------------------------------------------------------------------------


def lint(folder: Path, select: str, text: str, table: str = "") -> list[str]:
    """The findings, each as `line code message`, with the settings of a project."""
    unpack(folder)
    (folder / "spec.cm2").write_text(whole(text), encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"[tool.cm2.lint]\n{table}\n")
    result = run(folder, "lint", "--select", select, "--format", "json")
    assert result.exit_code in (0, 1), result.output
    return [
        f"{one['line']} {one['severity']} {one['message']}" for one in json.loads(result.stdout)
    ]


def test_tasks_that_only_forbid_are_errors_with_the_policy_and_what_it_earns(
    tmp_path: Path,
) -> None:
    assert lint(tmp_path, "L408,L409,L410", MUST_NOT) == [
        "6 error `late_arrival` pays 1.00 to an agent that does nothing, repeats the user, "
        "refuses, apologises or only greets, for `dialogue.pays_back`",
        "16 error `lost_card` pays 1.00 to an agent that repeats the user, refuses, apologises or "
        "only greets, for `ask.answers`, `insist.answers` (without a judge)",
    ]


def test_a_look_up_and_the_right_words_mend_them(tmp_path: Path) -> None:
    text = """
task late_arrival "Keep the fee of a guest who came late" {
  user simulated "You were charged a fee of 15, and want it back."

  item looks_up { check called search(to == "room 12") }
  at_end explains after looks_up { check reply matches /after (midnight|12)/ }
  never pays_back veto { check called any write }
}
"""
    assert lint(tmp_path, "L408,L409,L410", text) == []


PART = """item searches weight 4 { check called search(to == "Rome") }
at_end answers { check replied }"""


def test_a_small_part_is_a_warning_at_its_item_until_the_project_wants_less(tmp_path: Path) -> None:
    who = "an agent that repeats the user, refuses, apologises or only greets"
    assert lint(tmp_path, "L408,L409", PART) == [f"11 warning `answers` pays {who}"]
    assert lint(tmp_path, "L408,L409", PART, "max-floor = 0.2") == [
        f"11 warning `answers` pays {who}"
    ]
    assert lint(tmp_path, "L408,L409", PART, "max-floor = 0.1") == [
        f"6 error `trip` pays 0.20 to {who}, for `ask.answers`"
    ]


def test_blind_policies_have_a_limit_of_their_own(tmp_path: Path) -> None:
    text = """item searches weight 2 { check called search }
item names weight 3 after searches { check reply contains "KF12" }"""
    assert lint(tmp_path, "L410", text) == []
    assert lint(tmp_path, "L410", text, "max-blind-reward = 0.3") == [
        "6 warning `trip` pays 0.40 to an agent that calls every tool that only reads, calls every "
        "tool or repeats one call, for `ask.searches`"
    ]


@pytest.mark.parametrize("value", ["2", "-0.1", '"a"', "true"])
def test_a_limit_is_a_number_from_0_to_1(tmp_path: Path, value: str) -> None:
    unpack(tmp_path)
    (tmp_path / "spec.cm2").write_text(whole(PART))
    (tmp_path / "pyproject.toml").write_text(f"[tool.cm2.lint]\nmax-floor = {value}\n")
    result = run(tmp_path, "lint")
    assert result.exit_code == 2
    assert "`max-floor` is a number from 0 to 1, such as 0.2" in result.stderr


def test_of_many_rows_it_is_said_how_many_were_played(tmp_path: Path) -> None:
    unpack(tmp_path)
    cells = "".join(f"r{n},Rome,Monday,train\n" for n in range(9))
    (tmp_path / "many.csv").write_text(f"id,to,day,split\n{cells}")
    text = """
task trip each row in "many.csv" {
  turn ask { user "To {row.to}" item names { check reply contains row.to } }
}
"""
    (found,) = lint(tmp_path, "L408", text)
    assert "in row `r0`, the most of 3 of its 9 rows, for `ask.names`" in found


# --- the table --------------------------------------------------------------------------------


def test_the_table_has_a_row_a_task_and_a_column_a_policy(tmp_path: Path) -> None:
    unpack(tmp_path)
    (tmp_path / "spec.cm2").write_text(whole(MUST_NOT), encoding="utf-8")
    result = run(tmp_path, "floor")
    assert result.exit_code == 0
    name, blank, head, rule, *rows = result.stdout.splitlines()
    assert (name, blank) == (str(tmp_path / "spec.cm2"), "")
    columns = [cell.strip() for cell in head.strip("|").split("|")]
    assert columns == ["task", "rows", *(policy.name for policy in POLICIES)]
    assert len({len(line) for line in (head, rule, *rows)}) == 1
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[0][:4] == ["late_arrival", "1", "1.00", "1.00"]
    assert cells[1][:4] == ["lost_card", "1", "0.00-0.25", "1.00"]


def test_json_has_a_line_for_each_task_and_policy(tmp_path: Path) -> None:
    unpack(tmp_path)
    (tmp_path / "spec.cm2").write_text(whole(MUST_NOT), encoding="utf-8")
    records = [json.loads(line) for line in run(tmp_path, "floor", "--json").stdout.splitlines()]
    assert len(records) == 2 * len(POLICIES)
    assert records[len(POLICIES) + 2] == {
        "file": str(tmp_path / "spec.cm2"),
        "task": "lost_card",
        "policy": "refuse",
        "inactive": True,
        "rows": 1,
        "played": 1,
        "floor": 1.0,
        "without_judge": 1.0,
        "judge_fails": 0.75,
        "judge_passes": 1.0,
        "instance": "lost_card",
        "items": ["ask.answers", "insist.answers"],
    }


MANY = """
task trip each row in "many.csv" {
  turn ask { user "To {row.to}" item names { check reply contains row.to } }
}
task alone { turn ask { user "Hello" item answers { check called search } } }
"""


def many(folder: Path, count: int) -> None:
    unpack(folder)
    cells = "".join(f"r{n},Rome,Monday,train\n" for n in range(count))
    (folder / "many.csv").write_text(f"id,to,day,split\n{cells}")
    (folder / "spec.cm2").write_text(whole(MANY), encoding="utf-8")


def test_of_very_many_rows_some_are_played_and_the_table_says_how_many(tmp_path: Path) -> None:
    many(tmp_path, 1_200)
    for options, cell in (((), "1000 of 1200"), (("--rows", "7"), "7 of 1200")):
        lines = run(tmp_path, "floor", *options).stdout.splitlines()
        assert [line.split("|")[2].strip() for line in lines[4:6]] == [cell, "1"]
        assert len({len(line) for line in lines[2:6]}) == 1
        assert lines[-1].endswith("evenly spread where there are many: --rows N plays more")
    whole_table = run(tmp_path, "floor", "--rows", "1200").stdout
    assert "1200 |" in whole_table
    assert "--rows" not in whole_table
    (record, *_) = map(json.loads, run(tmp_path, "floor", "--json").stdout.splitlines())
    assert (record["rows"], record["played"]) == (1200, 1000)
    assert run(tmp_path, "floor", "--rows", "0").exit_code == 2


def test_a_bar_is_shown_on_a_terminal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(tmp_path, 12)
    assert run(tmp_path, "floor").stderr == ""
    master, slave = os.openpty()
    code = "from cm2dsl.cm2c import main; main()"
    command = [sys.executable, "-c", code, "floor", "--rows", "5", str(tmp_path / "spec.cm2")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=slave, text=True, check=True)
    os.write(slave, b"end")  # so that there is something to read, whatever the command did
    shown = os.read(master, 10_000).decode()
    os.close(slave)
    os.close(master)
    assert "100%" in shown
    assert "spec.cm2" in shown
    assert "5 of 12" in done.stdout
    assert "100%" not in done.stdout


def test_a_spec_that_does_not_compile_is_said_and_the_others_are_shown(tmp_path: Path) -> None:
    unpack(tmp_path)
    (tmp_path / "a.cm2").write_text("cm2 1\ndomain a {")
    (tmp_path / "b.cm2").write_text(whole(PART))
    result = CliRunner().invoke(main, ["floor", str(tmp_path)])
    assert result.exit_code == 2
    assert "a.cm2:2:10: error[E001]" in result.stderr
    assert "| trip |" in result.stdout
    (tmp_path / "a.cm2").unlink()
    (tmp_path / "b.cm2").unlink()
    result = CliRunner().invoke(main, ["floor", str(tmp_path)])  # a library of templates
    assert result.exit_code == 2
    assert "no spec here" in result.stderr


def test_the_table_of_the_documentation_is_what_the_command_prints() -> None:
    result = CliRunner().invoke(main, ["floor", str(SPECS / "挂号.cm2")])
    table = result.stdout.split("\n\n", 1)[1].strip()
    page = (SPECS.parent / "docs" / "floor.md").read_text(encoding="utf-8")
    assert table in page
