"""`cm2c diff`: levels, what is matched with what, and what is said of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cases import SHARED
from click.testing import CliRunner, Result

from cm2dsl.cm2c import main
from cm2dsl.diff.steps import step
from cm2dsl.diff.table import Node, Side, Table, Variable
from cm2dsl.diff.verdicts import trajectory

SPECS = Path(__file__).parents[2] / "specs"

SPEC = """cm2 1
domain air "Air"
tools "tools.json"
import "lib.cm2"
task fly "Fly" {
  turn find {
    user "A flight from Rome"
    item searches weight 2 strict { check called flight_search(origin == "ROM") }
    item 说明 after searches { check replied and reply contains "罗马" }
    item says after searches {
      check reply contains "KF1" or reply contains "KF2"
      ask   "Does the reply name a flight?"
      fail  "Names none"
    }
    never books veto { check called flight_book }
  }
  turn book {
    user "Book it"
    item books after find.searches { check called flight_book }
    use polite() after books
  }
}
task talk {
  user simulated "You are Li Wei"
  item searches { check called flight_search }
  use polite() after searches
}
"""
LIB = """cm2 1
template polite() { ask "Is the reply polite?" fail "It is rude" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        shutil.copytree(SHARED, tmp_path / name)
        (tmp_path / name / "spec.cm2").write_text(SPEC, encoding="utf-8")
        (tmp_path / name / "lib.cm2").write_text(LIB, encoding="utf-8")
    return tmp_path


def edit(folder: Path, old: str, new: str, file: str = "spec.cm2") -> None:
    path = folder / "b" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["diff", *map(str, arguments)], prog_name="cm2c")


def changed(folder: Path) -> dict[str, Any]:
    result = run(folder / "a/spec.cm2", folder / "b/spec.cm2", "--format", "json")
    assert result.exit_code == 0, result.output
    (spec,) = json.loads(result.stdout)["specs"]
    found: dict[str, Any] = spec
    return found


def level(folder: Path) -> str:
    return str(changed(folder)["level"])


def notes(folder: Path, task: str) -> list[str]:
    (found,) = (one for one in changed(folder)["tasks"] if one["after"] == task)
    return [f"{one['place']}: {one['text']}" for one in found["notes"]]


def verdicts(folder: Path, task: str) -> list[str]:
    (found,) = (one for one in changed(folder)["tasks"] if one["after"] == task)
    return [one["verdict"] for one in found["credit"].values()]


# --- levels -------------------------------------------------------------------------------------


def test_the_same_files_are_no_change(folder: Path) -> None:
    result = run(folder / "a/spec.cm2", folder / "b/spec.cm2", "--fail-on", "TEXT")
    assert result.exit_code == 0
    assert result.stdout.startswith("NONE  ")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('domain air "Air"', 'domain air "Air"  # a comment'),
        ("  turn find {\n", "  turn find {\n\n\n"),
        ('task fly "Fly"', 'task fly "Flights"'),
    ],
    ids=["comment", "layout", "title"],
)
def test_comments_layout_and_titles_are_text(folder: Path, old: str, new: str) -> None:
    edit(folder, old, new)
    assert level(folder) == "TEXT"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Does the reply name a flight?", "Is a flight named?"),
        ('fail  "Names none"', 'fail  "Names no flight"'),
        ('ask   "Does', 'focus reasoning ask "Does'),
        ("domain air", "judge { votes 3 }\ndomain air"),
        ("domain air", "judge { view dialogue }\ndomain air"),
    ],
    ids=["ask", "fail", "focus", "votes", "view"],
)
def test_what_reaches_the_judge_is_judge(folder: Path, old: str, new: str) -> None:
    edit(folder, old, new)
    assert level(folder) == "JUDGE"


def test_a_template_changes_every_task_that_uses_it(folder: Path) -> None:
    edit(folder, "Is the reply polite?", "Is every reply polite?", file="lib.cm2")
    found = changed(folder)
    assert {task["after"]: task["level"] for task in found["tasks"]} == {
        "fly": "JUDGE",
        "talk": "JUDGE",
    }
    assert 'book.polite: − ask "Is the reply polite?"' in notes(folder, "fly")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('user "A flight from Rome"', 'user "From Rome, please"'),
        ('"You are Li Wei"', '"You are Li Lei"'),
        ("domain air", "simulate { llm examples 2 }\ndomain air"),
    ],
    ids=["user", "simulated user", "simulate"],
)
def test_what_dialogues_are_like_is_text_under_its_own_heading(
    folder: Path, old: str, new: str
) -> None:
    edit(folder, old, new)
    found = changed(folder)
    assert found["level"] == "TEXT"
    every = [*found["notes"], *(note for task in found["tasks"] for note in task["notes"])]
    assert {note["about"] for note in every} == {"dialogues"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("weight 2 strict", "weight 3 strict"),
        ("never books veto", "never books penalty 0.5"),
        ("item books after find.searches", "item books after find.说明"),
        ("item searches {", "at_end searches {"),
        ('task fly "Fly" {', 'task fly "Fly" { assign { level turn }'),
        ('task fly "Fly" {', 'task fly "Fly" { assign { scale std }'),
        ('task fly "Fly" {', 'task fly "Fly" { assign { unreached mask }'),
        ('task fly "Fly" {', 'task fly "Fly" { assign { at book }'),
    ],
    ids=["weight", "veto", "after", "kind", "level", "scale", "unreached", "at"],
)
def test_what_is_credited_otherwise_is_reward(folder: Path, old: str, new: str) -> None:
    edit(folder, old, new)
    assert level(folder) == "REWARD"


def test_a_gate_is_reward_unless_all_behind_it_waits_for_the_same(folder: Path) -> None:
    edit(folder, "weight 2 strict", "weight 2")
    assert level(folder) == "TEXT"
    assert verdicts(folder, "fly") == ["same"] * 3
    for name in ("a", "b"):
        path = folder / name / "spec.cm2"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("books after find.searches", "books"), encoding="utf-8")
    assert level(folder) == "REWARD"
    assert verdicts(folder, "fly") == ["differs"] * 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("item 说明 after searches", "item 说明 after searches weight 1.0"),
        ("item books after find.searches", "item books after find.searches strict"),
        ('called flight_search(origin == "ROM")', 'called flight_search(origin in ["ROM"])'),
        (
            'reply contains "KF1" or reply contains "KF2"',
            'reply contains "KF2" or reply contains "KF1"',
        ),
        (
            "check replied and reply",
            'check not (not replied or not reply contains "罗马") and reply',
        ),
        ("use polite() after books", "use polite() after books, find.searches"),
        (
            "never books veto { check called flight_book }",
            "always books veto { check called flight_book at_most 0 }",
        ),
    ],
    ids=["weight", "last gate", "in", "order", "de morgan", "redundant after", "never as always"],
)
def test_what_is_written_otherwise_and_means_the_same_is_text(
    folder: Path, old: str, new: str
) -> None:
    edit(folder, old, new)
    assert level(folder) == "TEXT"


def test_a_task_added_or_removed_is_reward(folder: Path) -> None:
    edit(folder, "task talk {", "task chat {")
    path = folder / "b/spec.cm2"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("task chat")], encoding="utf-8")
    found = changed(folder)
    assert found["level"] == "REWARD"
    assert [note["text"] for task in found["tasks"] for note in task["notes"]] == ["task removed"]


def test_a_turn_added_is_reward_as_such(folder: Path) -> None:
    edit(
        folder,
        "  turn book {",
        '  turn wait { user "Wait" item w { check replied } }\n  turn book {',
    )
    assert level(folder) == "REWARD"
    assert notes(folder, "fly") == ["wait: turn added"]


def test_a_simulated_users_task_is_credited_for_its_items_alike(folder: Path) -> None:
    edit(
        folder,
        "  item searches { check called flight_search }",
        "  item searches weight 2 { check called flight_search }",
    )
    assert verdicts(folder, "talk") == ["differs", "differs", "same"]
    assert level(folder) == "REWARD"


# --- what is proven -----------------------------------------------------------------------------


def between(tmp_path: Path, before: str, after: str) -> Path:
    """Two specs of one turn with these items."""
    for name, items in (("a", before), ("b", after)):
        shutil.copytree(SHARED, tmp_path / name)
        head = 'cm2 1 domain d tools "tools.json" task t { turn u { user "x"'
        (tmp_path / name / "spec.cm2").write_text(f"{head}\n{items}\n}} }}", encoding="utf-8")
    return tmp_path


ONE = "{ check called flight_search }"
TWO = "{ check called flight_book }"


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (f"item a weight 2 {ONE}", f"item a {ONE} item b {ONE}", ["same"] * 3),
        (
            f"item a {ONE} item b after a {TWO}",
            f"item a weight 3 {ONE} item b after a {TWO}",
            ["differs", "differs", "same"],
        ),
        (
            f"item a veto weight 1 {ONE} item b veto weight 3 {TWO}",
            f"item a veto weight 2 {ONE} item b veto weight 1 {TWO}",
            ["same", "same", "differs"],
        ),
        (f"item a {ONE} item b weight 0 {TWO}", f"item a {ONE}", ["same"] * 3),
        (
            f"item a {ONE} item b weight 0 veto {TWO}",
            f"item a {ONE}",
            ["differs", "differs", "same"],
        ),
        (
            f"item a {ONE} at_end b {TWO} item c after b {{ check replied }}",
            f"item a {ONE} at_end b {TWO} item c after b, a {{ check replied }}",
            ["same"] * 3,
        ),
    ],
    ids=[
        "an item split in two with one check",
        "weights along a chain are of no account to step credit",
        "weights of vetoes that pay only together",
        "an item of no weight",
        "a veto of no weight",
        "after for an item that can never be satisfied",
    ],
)
def test_what_is_the_same_at_which_level(
    tmp_path: Path, before: str, after: str, found: list[str]
) -> None:
    assert verdicts(between(tmp_path, before, after), "t") == found


def test_gates_that_end_dialogues_apart_leave_what_is_decided_at_the_end_unknown(
    folder: Path,
) -> None:
    for name in ("a", "b"):
        path = folder / name / "spec.cm2"
        text = path.read_text(encoding="utf-8")
        whole = "  at_end done { check replied }\n}\ntask talk"
        path.write_text(text.replace("}\ntask talk", whole), encoding="utf-8")
    edit(folder, "weight 2 strict", "weight 2")
    result = run(folder / "a/spec.cm2", folder / "b/spec.cm2", "--fail-on", "REWARD")
    assert result.exit_code == 1
    assert "unknown: A and B end the dialogue at different turns" in result.stdout


def test_a_search_that_is_cut_short_is_unknown() -> None:
    nodes = (Node(0, 0.5, penalty=1.0), Node(1, 0.5, penalty=1.0))
    moved = (Node(0, 0.25, penalty=1.0), Node(1, 0.75, penalty=1.0))
    sides = (Side(nodes, (0, 0), frozenset({0})), Side(moved, (0, 0), frozenset({0})))
    table = Table(1, (Variable(0), Variable(0)), sides)
    assert trajectory(table).verdict == "same"
    found = trajectory(table, bound=3)
    assert (found.verdict, found.tried, found.of) == ("unknown", 3, 4)
    assert step(table).verdict == "differs"


# --- renames --------------------------------------------------------------------------------------


def test_an_item_under_another_name_is_the_same_item(folder: Path) -> None:
    edit(folder, "item searches weight 2 strict", "item 查询 weight 2 strict")
    edit(folder, "after searches", "after 查询")
    edit(folder, "after find.searches", "after find.查询")
    edit(folder, "polite() after 查询", "polite() after searches")
    assert level(folder) == "TEXT"
    assert notes(folder, "fly") == ["find.查询: renamed from `searches`"]


def test_an_item_renamed_and_asked_otherwise_is_probably_the_same(folder: Path) -> None:
    edit(folder, "item says after", "item names after")
    edit(folder, "Does the reply name a flight?", "Does the reply name some flight?")
    assert level(folder) == "JUDGE"
    assert "find.names: renamed from `says`" in notes(folder, "fly")[0]


def test_turns_and_tasks_under_other_names_are_the_same(folder: Path) -> None:
    edit(folder, "turn find", "turn 查找")
    edit(folder, "find.searches", "查找.searches")
    edit(folder, "task talk", "task chat")
    assert level(folder) == "TEXT"
    assert notes(folder, "fly") == ["查找: turn renamed from `find`"]
    assert notes(folder, "chat") == [": renamed from `talk`"]


# --- checks ---------------------------------------------------------------------------------------


def test_a_changed_check_may_differ_and_says_which_questions_did(folder: Path) -> None:
    edit(folder, 'origin == "ROM"', 'origin == "MIL"')
    found = notes(folder, "fly")
    assert 'find.searches: check no longer asks: called flight_search(origin == "ROM")' in found
    assert 'find.searches: check now asks: called flight_search(origin == "MIL")' in found
    assert "find.searches: no dialogue at hand shows it (0 tried)" in found
    assert verdicts(folder, "fly") == ["may differ"] * 3


def test_a_dialogue_at_hand_shows_that_a_check_says_something_else(tmp_path: Path) -> None:
    shutil.copytree(SPECS, tmp_path / "b")
    spec = tmp_path / "b/airline.cm2"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(
        text.replace(
            "never pries penalty 0.3 { check called lookup(",
            "never pries penalty 0.3 { check called change(",
        ),
        encoding="utf-8",
    )
    result = run(SPECS / "airline.cm2", spec)
    recording = "airline/recordings/change_allowed.jsonl:42"
    earns = "which earns 0 in both as scored without a judge"
    assert f"shown by {recording}, {earns}: does not hold → holds since step 1" in result.stdout


def test_a_changed_check_that_nothing_hangs_on_changes_no_reward(folder: Path) -> None:
    for name in ("a", "b"):
        path = folder / name / "spec.cm2"
        text = path.read_text(encoding="utf-8")
        seen = "item seen weight 0 { check called today }\n    never books veto"
        path.write_text(text.replace("never books veto", seen), encoding="utf-8")
    edit(folder, "check called today", "check not called today")
    assert level(folder) == "TEXT"
    assert verdicts(folder, "fly") == ["same"] * 3


CALL = 'called flight_search(origin == "ROM")'


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        (
            f"item a {{ check {CALL} exactly 1 time }}",
            f"item a {{ check {CALL} at_most 1 time }}",
            "looser",
        ),
        (f"item a {{ check {CALL} }}", "item a { check called flight_search }", "looser"),
        (f"item a {{ check succeeded{CALL[6:]} }}", f"item a {{ check {CALL} }}", "looser"),
        (f"always a {{ check {CALL} }}", f"at_end a {{ check {CALL} }}", "looser"),
        (f"never a {{ check {CALL} }}", "never a { check called flight_search }", "stricter"),
        ("at_end a { check replied }", "item a { check replied }", "looser"),
    ],
)
def test_no_example_contradicts_which_way_a_check_went(
    tmp_path: Path, before: str, after: str, way: str
) -> None:
    """Where B is looser, none has A pass alone; nor has B, where it is stricter."""
    rest = "item z { check called flight_book }"
    folder = between(tmp_path, f"{before} {rest}", f"{after} {rest}")
    assert any(f"u.a: B is {way}: " in note for note in notes(folder, "t"))
    (task,) = changed(folder)["tasks"]
    shown = task["credit"]["trajectory"]["counterexample"]
    passes = [
        any(step["a"] for turn in shown[side]["line"]["rollouts"][0]["turns"] for step in turn)
        for side in ("before", "after")
    ]
    assert passes == ([False, True] if way == "looser" else [True, False])


def test_a_long_chain_is_decided_within_a_bound_that_is_counted(tmp_path: Path) -> None:
    items = [f'{{ check called flight_search(origin == "k{i}") }}' for i in range(60)]
    chain = [f"item i{i} {f'after i{i - 1}' if i else ''} {one}" for i, one in enumerate(items)]
    other = [*chain[:30], f"item i30 after i28 {items[30]}", *chain[31:]]
    folder = between(tmp_path, "\n".join(chain), "\n".join(other))
    assert verdicts(folder, "t") == ["differs"] * 3


# --- rows -----------------------------------------------------------------------------------------


def with_rows(tmp_path: Path, before: str, after: str) -> Path:
    for name, rows in (("a", before), ("b", after)):
        shutil.copytree(SHARED, tmp_path / name)
        (tmp_path / name / "own.csv").write_text(rows, encoding="utf-8")
        (tmp_path / name / "spec.cm2").write_text(
            'cm2 1 domain d tools "tools.json" task t each row in "own.csv" { turn u { '
            'user "{row.said}" item i { check called flight_search(origin == row.origin) } } }',
            encoding="utf-8",
        )
    return tmp_path


def test_a_row_whose_value_a_check_uses_changes_that_rows_reward(tmp_path: Path) -> None:
    rows = "id,said,origin\nr1,one,ROM\nr2,two,MIL\n"
    folder = with_rows(tmp_path, rows, rows.replace("MIL", "PAR"))
    assert level(folder) == "REWARD"
    assert notes(folder, "t")[1] == "u.i: another value in 1 row: r2"
    (task,) = changed(folder)["tasks"]
    assert task["credit"]["trajectory"]["rows"] == ["r2"]


def test_a_row_whose_value_only_the_user_says_is_text(tmp_path: Path) -> None:
    rows = "id,said,origin\nr1,one,ROM\nr2,two,MIL\n"
    assert level(with_rows(tmp_path, rows, rows.replace("two", "TWO"))) == "TEXT"


def test_a_row_added_is_reward(tmp_path: Path) -> None:
    rows = "id,said,origin\nr1,one,ROM\n"
    folder = with_rows(tmp_path, rows, rows + "r2,two,MIL\n")
    assert level(folder) == "REWARD"
    assert notes(folder, "t") == [": 1 row added: r2"]


def test_a_constant_that_becomes_a_column_of_the_same_value_is_text(tmp_path: Path) -> None:
    folder = with_rows(tmp_path, "id,said,origin\nr1,x,ROM\n", "id,said,origin\nr1,x,ROM\n")
    path = folder / "a/spec.cm2"
    path.write_text(
        path.read_text(encoding="utf-8").replace("row.origin)", '"ROM")'), encoding="utf-8"
    )
    assert level(folder) == "TEXT"


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "reached"),
    [
        ('domain air "Air"', 'domain air "Airs"', ["TEXT"]),
        ("Names none", "Names no flight", ["TEXT", "JUDGE"]),
        ("weight 2 strict", "weight 9 strict", ["TEXT", "JUDGE", "REWARD"]),
    ],
)
def test_fail_on_fails_at_its_level_and_above(
    folder: Path, old: str, new: str, reached: list[str]
) -> None:
    edit(folder, old, new)
    for name in ("TEXT", "JUDGE", "REWARD"):
        result = run(folder / "a/spec.cm2", folder / "b/spec.cm2", "--fail-on", name)
        assert result.exit_code == (1 if name in reached else 0)


def test_a_spec_that_does_not_compile_is_shown_where_and_exits_2(folder: Path) -> None:
    edit(folder, "called flight_search(", "called flight_serch(")
    result = run(folder / "a", folder / "b")
    assert result.exit_code == 2
    assert f"{folder}/b/spec.cm2:8:50: error[E101]: tool `flight_serch`" in result.stderr


def test_what_is_not_there_is_said(folder: Path) -> None:
    result = run(folder / "a", folder / "c")
    assert result.exit_code == 2
    assert f"there is no file or folder `{folder}/c`" in result.stderr
    (folder / "c").mkdir()
    assert "has no spec" in run(folder / "a", folder / "c").stderr


def test_folders_are_compared_file_by_file(folder: Path) -> None:
    shutil.copy(folder / "b/spec.cm2", folder / "b/new.cm2")
    path = folder / "b/new.cm2"
    path.write_text(
        path.read_text(encoding="utf-8").replace("domain air", "domain other"), encoding="utf-8"
    )
    result = run(folder / "a", folder / "b")
    assert "REWARD  new.cm2\n  what is rewarded\n    spec added, with 2 tasks\n" in result.stdout
    back = run(folder / "b", folder / "a")
    assert "spec removed, with 2 tasks" in back.stdout


def test_markdown_escapes_what_the_spec_says(folder: Path) -> None:
    edit(folder, "Names none", "Names <b>none</b> | `x`")
    text = run(folder / "a/spec.cm2", folder / "b/spec.cm2", "--format", "markdown").stdout
    assert text.startswith("### `cm2c diff`: JUDGE\n")
    assert "\\<b\\>none\\</b\\> \\| \\`x\\`" in text


# --- git ------------------------------------------------------------------------------------------


@pytest.fixture
def repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = folder / "b"
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for key, value in quiet.items():
        monkeypatch.setenv(key, value)
    (root / "specs").mkdir()
    for path in list(root.iterdir()):
        if path.is_file():
            path.rename(root / "specs" / path.name)

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    monkeypatch.chdir(root)
    return root


def test_a_revision_is_compared_with_the_working_tree(repository: Path) -> None:
    edit(repository.parent, "weight 2 strict", "weight 3 strict", file="specs/spec.cm2")
    result = run("git:HEAD:specs/spec.cm2", "specs/spec.cm2", "--fail-on", "reward")
    assert result.exit_code == 1
    assert result.stdout.startswith("REWARD  git:HEAD:specs/spec.cm2 → specs/spec.cm2\n")
    assert run("git:HEAD:specs", "specs").stdout.startswith("REWARD")
    assert run("git:HEAD:specs", "git:HEAD:specs").stdout.startswith("NONE")


def test_a_revision_has_the_libraries_that_it_had(repository: Path) -> None:
    edit(repository.parent, "Is the reply polite?", "Is it kind?", file="specs/lib.cm2")
    assert run("git:HEAD:specs/spec.cm2", "specs/spec.cm2").stdout.startswith("JUDGE")


def test_a_path_from_here_begins_with_a_dot(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "specs")
    assert run("git:HEAD:./spec.cm2", "spec.cm2").stdout.startswith("NONE")
    assert run("git:HEAD:specs/spec.cm2", "spec.cm2").stdout.startswith("NONE")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("git:nowhere:specs", "git knows no revision `nowhere`"),
        ("git:HEAD:spec", "there is no `spec` at `HEAD`"),
        ("git:HEAD", "`git:HEAD` names no revision and path"),
        ("git:--help:specs", "`--help` is no revision"),
        ("git:HEAD^{tree}:spec", "there is no `spec` at `HEAD^{tree}`"),
        ("git:HEAD:../specs", "`../specs` is outside the repository"),
    ],
)
def test_what_git_does_not_have_is_said(repository: Path, named: str, said: str) -> None:
    result = run(named, "specs")
    assert result.exit_code == 2
    assert said in result.stderr


def test_without_a_repository_or_git_that_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert "not a git repository" in run("git:HEAD:specs", "a").stderr
    monkeypatch.setenv("PATH", "")
    assert "needs git" in run("git:HEAD:specs", "a").stderr


@pytest.mark.parametrize("revision", ["HEAD", "HEAD^{tree}", "HEAD^{/first}", "HEAD^{/i: r}"])
def test_a_revision_is_whatever_git_takes_for_one(repository: Path, revision: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    more = ["commit", "-q", "--amend", "-m", "first thing i: really"]
    subprocess.run(["git", *who, *more], check=True)
    assert run(f"git:{revision}:specs/spec.cm2", "specs/spec.cm2").stdout.startswith("NONE")


@pytest.mark.parametrize("inside", ["bare.git", "b/.git"])
def test_no_working_tree_is_needed(
    repository: Path, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "clone", "-q", "--bare", ".", "../bare.git"], check=True)
    monkeypatch.chdir(repository.parent / inside)
    assert run("git:HEAD:specs", "git:HEAD:specs/spec.cm2").stdout.startswith("NONE")


def test_files_that_git_exports_not_are_there_too(repository: Path) -> None:
    (repository / "specs/.gitattributes").write_text("lib.cm2 export-ignore\n", encoding="utf-8")
    (repository / "specs/out.cm2").symlink_to("../../elsewhere")
    (repository / "specs/link.cm2").symlink_to("lib.cm2")
    subprocess.run(["git", "add", "."], check=True)
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", *who, "commit", "-q", "-m", "x"], check=True)
    assert run("git:HEAD:specs", "git:HEAD~1:specs").stdout.startswith("NONE")
    edit(repository.parent, '"lib.cm2"', '"link.cm2"', file="specs/spec.cm2")
    subprocess.run(["git", *who, "commit", "-qam", "y"], check=True)
    assert run("git:HEAD:specs", "git:HEAD~1:specs").stdout.startswith("TEXT")


def test_faults_of_a_revision_name_it(repository: Path) -> None:
    edit(repository.parent, "called flight_search(", "called flight_serch(", file="specs/spec.cm2")
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qam", "x"],
        check=True,
    )
    result = run("git:HEAD:specs", "git:HEAD~1:specs")
    assert result.exit_code == 2
    assert "git:HEAD:specs/spec.cm2:8:50: error[E101]" in result.stderr
