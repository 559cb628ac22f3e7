"""`cm2c test`: what it says, in every format, and its exit codes.

testing/specs/ has tests that fail in every way that a test can.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from xmlschema import XMLSchema

from cm2dsl.cm2c import main

HERE = Path(__file__).parent
GOLDEN = HERE / "testing"
JUNIT = XMLSchema(HERE / "schemas" / "junit-10.xsd")
SPECS = HERE.parents[1] / "specs"
SPEC = """cm2 1
domain air
tools "tools.json"
task fly {
  turn find {
    user "A flight from Rome"
    item searches strict { check called search }
    item tells after searches { check reply contains "MU5101" }
    item kind { ask "Is the reply kind?" }
  }
  turn take {
    user "Book it"
    item books { check called book }
  }
}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(GOLDEN / "specs", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["test", *arguments], prog_name="cm2c")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def one(folder: Path, block: str, *arguments: str) -> Result:
    """What comes of one more test block."""
    (folder / "air.cm2").write_text(f"{SPEC}{block}\n", encoding="utf-8")
    return run("air.cm2", *arguments)


def block(*lines: str, name: str = "a test", file: str = "good.jsonl") -> str:
    return "\n".join([f'test "{name}" for fly {{ trajectory "{file}"', *lines, "}"])


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("text.txt", ()),
        ("verbose.txt", ("-v",)),
        ("results.json", ("--format", "json")),
        ("junit.xml", ("--format", "junit")),
    ],
)
@pytest.mark.usefixtures("folder")
def test_every_way_to_fail_is_told_as_its_golden_file_tells_it(
    name: str, arguments: tuple[str, ...], update_golden: bool
) -> None:
    result = run("desk.cm2", *arguments)
    if update_golden:
        (GOLDEN / name).write_text(result.stdout, encoding="utf-8")
    assert result.stdout == (GOLDEN / name).read_text(encoding="utf-8"), "--update-golden"
    assert (result.exit_code, result.stderr) == (1, "")


@pytest.mark.usefixtures("folder")
def test_junit_is_valid_and_counts_what_json_has() -> None:
    text = run("desk.cm2", "--format", "junit").stdout
    JUNIT.validate(text)
    whole = json.loads(run("desk.cm2", "--format", "json").stdout)
    (suite,) = ElementTree.fromstring(text)
    status = [test["status"] for test in whole["tests"]]
    assert suite.get("tests") == str(len(status))
    assert suite.get("failures") == str(status.count("failed"))
    assert suite.get("errors") == str(status.count("error"))
    tags = [[child.tag for child in case] for case in suite]
    words = {"passed": [], "failed": ["failure"], "error": ["error"]}
    assert tags == [words[each] for each in status]


def test_junit_of_the_shipped_specs_is_valid() -> None:
    result = run(str(SPECS), "--format", "junit")
    JUNIT.validate(result.stdout)
    assert result.exit_code == 0


def test_what_passes_is_counted_and_what_is_not_covered_is_listed_by_place(folder: Path) -> None:
    result = one(folder, block("expect find.tells pass"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["coverage", "items", "checks", "edges", "gates", "all"],
        ["air.cm2", "1/8", "12.5%", "1/6", "16.6%", "0/2", "0%", "0/2", "0%", "11.1%"],
    ]
    assert "  air.cm2:7:10: item `fly find.searches`: no test depends on its passing" in lines
    assert lines[-1] == "1 test: 1 passed"


@pytest.mark.parametrize("name", ["airline", "tutor", "挂号"])
def test_the_tests_of_the_shipped_specs_cover_all_of_them(name: str) -> None:
    result = run(str(SPECS / f"{name}.cm2"), "--format", "json", "--min-coverage", "100")
    assert result.exit_code == 0, result.output
    whole = json.loads(result.stdout)
    assert {test["status"] for test in whole["tests"]} == {"passed"}
    assert [said for test in whole["tests"] for said in test["said"]] == []
    kinds = whole["coverage"]["specs"][0]["kinds"]
    assert all(kind["covered"] == kind["all"] for kind in kinds.values())
    assert kinds["item"]["all"] > 20


# --- exit codes -----------------------------------------------------------------------------------


def test_exit_code_0_where_all_pass_and_1_where_one_fails_or_cannot_be_decided(
    folder: Path,
) -> None:
    assert one(folder, block("expect find.tells pass")).exit_code == 0
    assert one(folder, block("expect find.tells fail")).exit_code == 1
    assert one(folder, block("expect find.kind pass")).exit_code == 1


def test_min_coverage_is_met_or_makes_the_exit_code_1(folder: Path) -> None:
    assert one(folder, block("expect find.tells pass"), "--min-coverage", "11").exit_code == 0
    short = one(folder, block("expect find.tells pass"), "--min-coverage", "90")
    assert short.exit_code == 1
    assert short.stderr == "coverage is 11.1%, and should be 90%\n"
    for none in ("101", "-1", "nan", "inf", "-nan"):
        asked = one(folder, block("expect find.tells pass"), f"--min-coverage={none}")
        assert asked.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("desk.cm2", "-k", "nowhere"), "no test is meant by `-k nowhere`"),
        (("desk.cm2", "-k", "a and"), "a part of a name is missing at the end"),
        (("air.cm2",), "no spec here has a test"),
        (("nowhere.cm2",), "there is no file or folder `nowhere.cm2`"),
        (("desk.cm2", "--format", "html"), "'html' is not one of"),
    ],
)
def test_exit_code_2_where_there_is_nothing_to_run(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "air.cm2").write_text(SPEC, encoding="utf-8")
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_spec_that_does_not_compile_is_told_and_the_others_are_tested(folder: Path) -> None:
    one(folder, block("expect find.tells pass"))
    (folder / "broken.cm2").write_text("cm2 1\ndomain d {", encoding="utf-8")
    (folder / "library.cm2").write_text("cm2 1\ntemplate t() { check replied }", encoding="utf-8")
    result = run("air.cm2", "broken.cm2", "library.cm2")
    assert result.exit_code == 2
    assert "1 test: 1 passed" in result.stdout
    assert "broken.cm2:2:10: error[E001]" in result.stderr


@pytest.mark.parametrize("specs", [("air.cm2", "broken.cm2"), ("broken.cm2",)])
def test_programs_are_told_what_does_not_compile_as_by_the_compiler(
    folder: Path, specs: tuple[str, ...]
) -> None:
    one(folder, block("expect find.tells pass"))
    (folder / "broken.cm2").write_text('cm2 1\ndomain d "\x1b" {\ndomain {', encoding="utf-8")
    compiled = CliRunner().invoke(main, ["compile", "broken.cm2", "--format", "json"])
    faults = json.loads(compiled.stdout)
    result = run(*specs, "--format", "json")
    assert (result.exit_code, result.stderr) == (2, "")
    said = json.loads(result.stdout)
    assert said["faults"] == faults != []
    assert len(said["tests"]) == len(specs) - 1
    result = run(*specs, "--format", "junit")
    assert (result.exit_code, result.stderr) == (2, "")
    JUNIT.validate(result.stdout)
    suites = ElementTree.fromstring(result.stdout)
    assert suites.attrib["errors"] == str(len(faults))
    assert suites.attrib["tests"] == str(len(faults) + len(specs) - 1)
    suite = suites[0]
    assert suite.attrib["name"] == "does not compile"
    assert [case[0].tag for case in suite] == ["error"] * len(faults)
    assert suite[0].attrib["name"].startswith("E001 broken.cm2:2:")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["trajectory", 'for fly { trajectory "none.jsonl" expect reward == 1 }'], "E402"),
        (["row", 'for fly row "r9" { trajectory "good.jsonl" expect reward == 1 }'], "E311"),
        (["task", 'for flee { trajectory "good.jsonl" expect reward == 1 }'], "E110"),
        (["item", 'for fly { trajectory "good.jsonl" expect find.x pass }'], "E109"),
    ],
)
def test_a_file_a_row_a_task_or_an_item_that_is_not_there_does_not_compile(
    folder: Path, lines: list[str], fault: str
) -> None:
    result = one(folder, f'test "{lines[0]}" {lines[1]}')
    assert result.exit_code == 2
    assert f"error[{fault}]" in result.stderr


# --- what counts ----------------------------------------------------------------------------------


def said(result: Result) -> list[tuple[str, str]]:
    """(kind, message) of what is said of tests in JSON."""
    tests = json.loads(result.stdout)["tests"]
    return [(said["kind"], said["message"]) for test in tests for said in test["said"]]


def test_what_goes_to_the_judge_must_be_told_only_where_something_depends_on_it(
    folder: Path,
) -> None:
    assert said(one(folder, block("expect find.tells pass"), "--format", "json")) == []
    needs = one(folder, block("expect find.tells pass", "expect reward > 0"), "--format", "json")
    message = "this depends on `find.kind`, which goes to the judge"
    assert said(needs) == [("error", message)]


def test_later_turns_depend_on_strict_items_that_nobody_has_decided(folder: Path) -> None:
    spec = SPEC.replace("item kind {", "item kind strict {")
    (folder / "air.cm2").write_text(spec + block("expect take.books pass"), encoding="utf-8")
    assert said(run("air.cm2", "--format", "json")) == [
        ("error", "this depends on `find.kind`, which goes to the judge")
    ]


def test_a_judges_error_masks_and_no_comparison_holds_of_no_reward(folder: Path) -> None:
    for order in ("== 0", "!= 0", "< 1", "<= 1", "> 0", ">= 0"):
        expected = block(
            "judged find.kind error", "expect find.kind error", f"expect reward {order}"
        )
        ((kind, message),) = said(one(folder, expected, "--format", "json"))
        assert kind == "failed"
        assert message == f"the reward should be {order}, and there is none"


@pytest.mark.parametrize(
    ("users", "noted"),
    [
        (["A flight from Rome", "Book it"], []),
        (["a  FLIGHT from\nRome "], []),
        (
            ["A flight from Oslo", "Cancel it"],
            ["in turn `find` the user says `A flight from Oslo`, and in the task `A flight from R"],
        ),
        (
            ["A flight from Rome", "Cancel it", "Bye"],
            [
                "in turn `take` the user says `Cancel it`, and in the task `Book it`",
                "the user speaks 3 times, and in `fly` 2 times: the rest is not scored",
            ],
        ),
    ],
)
def test_a_dialogue_with_another_user_is_noted_and_fails_nothing(
    users: list[str], noted: list[str], folder: Path
) -> None:
    messages = [{"role": "user", "content": text} for text in users]
    line = json.dumps({"messages": messages})
    (folder / "mine.jsonl").write_text(line, encoding="utf-8")
    text = block("expect find.searches fail", file="mine.jsonl")
    result = one(folder, text, "--format", "json")
    assert result.exit_code == 0
    found = said(result)
    assert [kind for kind, _ in found] == ["note"] * len(noted)
    assert all(message.startswith(start) for (_, message), start in zip(found, noted, strict=True))


def test_what_a_simulated_user_says_is_not_compared(folder: Path) -> None:
    spec = """cm2 1
domain air
tools "tools.json"
task fly {
  user simulated "You want a flight."
  item searches { check called search }
}
"""
    text = spec + block("expect dialogue.searches pass")
    (folder / "air.cm2").write_text(text, encoding="utf-8")
    assert said(run("air.cm2", "--format", "json")) == []


def test_a_dialogue_in_which_the_user_says_nothing_is_an_error(folder: Path) -> None:
    (folder / "none.jsonl").write_text('{"messages": []}\n', encoding="utf-8")
    result = one(folder, block("expect reward == 0", file="none.jsonl"), "--format", "json")
    assert result.exit_code == 1
    message = "the user says nothing in this dialogue, so there is nothing to test"
    assert said(result) == [("error", message)]


def test_a_verdict_that_nobody_asks_for_is_noted_and_fails_nothing(folder: Path) -> None:
    spec = SPEC.replace(
        'check reply contains "MU5101"', 'check reply contains "MU5101" ask "Is it told?"'
    )
    text = spec + block("judged find.tells fail", "expect find.tells pass")
    (folder / "air.cm2").write_text(text, encoding="utf-8")
    result = run("air.cm2", "--format", "json")
    assert result.exit_code == 0
    assert said(result) == [("note", "`find.tells` is not judged here: its check decides it")]


@pytest.mark.parametrize(
    ("order", "holds"),
    [
        ("== 0.83333333333", True),
        ("== 0.8333", False),
        ("<= 0.83333333333", True),
        ("< 0.83333333333", False),
        ("> 0.8333", True),
        ("!= 0.83333333333", False),
    ],
)
def test_rewards_are_compared_as_people_write_them(folder: Path, order: str, holds: bool) -> None:
    expected = block("judged find.kind fail", f"expect reward {order}")
    assert (one(folder, expected).exit_code == 0) is holds


def test_a_judged_pass_holds_from_the_last_step_of_its_turn(folder: Path) -> None:
    spec = SPEC.replace("item kind {", 'item kinder after kind { ask "?" }\n    item kind {')
    text = spec + block("judged find.kind pass", "judged find.kinder pass", "expect reward == 1")
    (folder / "air.cm2").write_text(text, encoding="utf-8")
    result = run("air.cm2")
    assert "pass     judge  waits for kind (a step too late)  kinder (after kind)" in result.stdout


def test_tests_are_selected_by_name_task_row_and_file(folder: Path) -> None:
    for expression, names in {
        "judge": ["what a judge says"],
        "r2 and not JUDGE": ["what is not said"],
        "聊天": ["推销 <不行> & \x1b[31m"],
        '"no step at all" or "as it should"': ["everything is as it should be", "no step at all"],
        "desk and 推销": ["推销 <不行> & \x1b[31m"],
    }.items():
        tests = json.loads(run("desk.cm2", "-k", expression, "--format", "json").stdout)["tests"]
        assert [test["name"] for test in tests] == names, expression


def test_ten_thousand_tests_run_in_seconds(folder: Path) -> None:
    lines = ("judged find.kind pass", "expect find.tells pass", "expect reward == 1.0")
    blocks = [block(*lines, name=f"test {number}") for number in range(10_000)]
    (folder / "air.cm2").write_text(SPEC + "\n".join(blocks), encoding="utf-8")
    began = time.perf_counter()
    result = run("air.cm2")
    assert result.stdout.endswith("10,000 tests: 10,000 passed\n")
    assert time.perf_counter() - began < 60


# --- the documentation, and --watch ---------------------------------------------------------------


def test_the_output_that_the_documentation_shows_is_what_comes_out() -> None:
    page = (HERE.parents[1] / "docs" / "test.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    text = (GOLDEN / "text.txt").read_text(encoding="utf-8")
    assert [each for each in shown if each not in text] == []
    spec = (SPECS / "airline.cm2").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```cm2\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = [line for line in block.splitlines() if line not in spec.splitlines()]
    assert lines == []


def test_watch_runs_again_when_a_dialogue_changes(folder: Path) -> None:
    one(folder, block("expect find.tells pass"))
    start = "from cm2dsl.cm2c import main; main()"
    command = [sys.executable, "-c", start, "test", "air.cm2", "--watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        first = list(iter(process.stdout.readline, "watching 3 files; ctrl-C ends it\n"))
        assert first[-1] == "1 test: 1 passed\n"
        path = folder / "good.jsonl"
        path.write_text(path.read_text(encoding="utf-8").replace("There is MU5101", "No"))
        again = list(iter(process.stdout.readline, "watching 3 files; ctrl-C ends it\n"))
        assert again[-1] == "1 test: 1 failed\n"
    finally:
        process.kill()
        process.wait()


def test_a_dependency_that_a_gate_sees_to_is_nothing_to_cover(folder: Path) -> None:
    """`take` comes only once `find.searches` is satisfied: no dialogue shows the dependency."""
    spec = SPEC.replace("item books {", "item books after find.searches {")
    text = spec + block("judged find.kind pass", "expect take.books pass")
    for loose, edges in (("", 2), ("strict ", 4)):
        (folder / "air.cm2").write_text(text.replace(loose, "", 1) if loose else text)
        whole = json.loads(run("air.cm2", "--format", "json").stdout)
        (covered,) = whole["coverage"]["specs"]
        assert covered["kinds"]["edge"]["all"] == edges
