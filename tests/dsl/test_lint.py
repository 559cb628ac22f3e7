"""`cm2c lint`: allowances, fixes, choices, formats and the rules' pages."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from cm2dsl.cm2c import main
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.fix import apply
from cm2dsl.lint.pages import page
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import Edit, Fix, Rule
from cm2dsl.lint.suppress import CODE

ROOT = Path(__file__).parents[2]
RULES = "L203,L205"
VAGUE = 'item good { ask "Is the reply appropriate?" fail "Names no price" }'
UNUSED = """
import "library.cm2"

task trip { turn ask { user "Hello" item answers { check replied } } }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(snippet: str, *options: str) -> Result:
    Path("spec.cm2").write_text(whole(snippet), encoding="utf-8")
    return CliRunner().invoke(main, ["lint", "spec.cm2", *options], prog_name="cm2c")


def codes(result: Result) -> list[str]:
    return [line.split()[1] for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("folder")
def test_a_finding_is_shown_where_it_is() -> None:
    result = run(VAGUE, "--select", "L203")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "spec.cm2:10:21: warning[L203 vague-word]: "
        "`appropriate` says nothing that can be looked for",
        "    |",
        ' 10 |     item good { ask "Is the reply appropriate?" fail "Names no price" }',
        "    |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "  = help: say what must be there to pass",
        "",
        "1 finding",
        "`cm2c explain L203` says more",
    ]


@pytest.mark.usefixtures("folder")
def test_nothing_found_is_said_and_is_success() -> None:
    result = run("item answers { check replied }", "--select", RULES)
    assert (result.exit_code, result.stdout) == (0, "nothing found\n")


@pytest.mark.parametrize(
    "text",
    [
        f"{VAGUE}  # lint: allow L203: their own word",
        f"# lint: allow L203: their own word\n{VAGUE}",
        f"# lint: allow L203, L205: their own word\n# more\n\n{VAGUE}".replace(
            ' fail "Names no price"', ""
        ),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_comment_with_a_reason_allows_a_finding(text: str) -> None:
    assert run(text, "--select", RULES).exit_code == 0


@pytest.mark.usefixtures("folder")
def test_a_comment_without_a_reason_allows_nothing() -> None:
    result = run(f"{VAGUE}  # lint: allow L203", "--select", RULES, "--format", "concise")
    assert codes(result) == ["L203", "L001"]
    assert "without a reason" in result.stdout


@pytest.mark.usefixtures("folder")
def test_a_comment_that_allows_nothing_is_a_finding_where_its_rule_ran() -> None:
    text = "item answers { check replied }  # lint: allow L203: no longer"
    result = run(text, "--select", RULES, "--format", "concise")
    assert codes(result) == ["L001"]
    assert "there is no `L203` here to allow" in result.stdout
    assert run(text, "--select", "L205").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_a_string_is_no_comment() -> None:
    text = 'item good { ask "Is it appropriate? # lint: allow L203: no" fail "No" }'
    assert "L203" in run(text, "--select", "L203", "--format", "concise").stdout


@pytest.mark.usefixtures("folder")
def test_rules_are_chosen_by_code_family_or_name() -> None:
    assert codes(run(VAGUE, "--select", "vague-word", "--format", "concise")) == ["L203"]
    assert "L203" in codes(run(VAGUE, "--select", "L2", "--format", "concise"))
    assert "L203" not in codes(run(VAGUE, "--ignore", "L203", "--format", "concise"))
    result = run(VAGUE, "--select", "L999")
    assert result.exit_code == 2
    assert "there is no rule `L999`: `cm2c explain` lists them" in result.stderr


def test_a_project_chooses_its_rules(folder: Path) -> None:
    settings = folder / "pyproject.toml"
    settings.write_text('[tool.cm2.lint]\nselect = ["L2"]\nignore = ["L205"]\n')
    text = VAGUE.replace(' fail "Names no price"', "")
    assert codes(run(text, "--format", "concise")) == ["L203"]
    assert codes(run(text, "--ignore", "L203", "--format", "concise")) == []
    assert codes(run(text, "--select", "L205,L203", "--format", "concise")) == ["L203"]
    for table, said in [
        ("selct = []", "has no setting `selct`: did you mean `select`?"),
        ("select = 1", "`select` is a list of codes"),
        ('select = ["L999"]', "there is no rule `L999`"),
        ("select = [", "cannot be read"),
    ]:
        settings.write_text(f"[tool.cm2.lint]\n{table}\n")
        result = run(text)
        assert result.exit_code == 2
        assert said in result.stderr


def test_settings_of_other_tools_are_no_business_of_lint(folder: Path) -> None:
    for text in ("tool = 1", "[tool.other]\nlint = 1", "[tool.cm2]", "[project]\nname = 'a'"):
        (folder / "pyproject.toml").write_text(text)
        assert codes(run(VAGUE, "--select", "L203", "--format", "concise")) == ["L203"]


def test_fix_mends_the_file_and_leaves_the_rest(folder: Path) -> None:
    result = run(UNUSED, "--select", "L102", "--fix")
    assert (result.exit_code, result.stdout) == (0, "nothing found\n")
    assert result.stderr == "mended spec.cm2: 1\n"
    assert "import" not in (folder / "spec.cm2").read_text()


def test_fixes_that_meet_are_applied_one_after_the_other() -> None:
    first, second = Fix("a", (Edit(0, 2, "x"),)), Fix("b", (Edit(1, 3, "y"),))
    assert apply("abcd", [first, second]) == ("xcd", 1)
    assert apply("abcd", [first, Fix("c", (Edit(3, 4, ""),))]) == ("xc", 2)


@pytest.mark.usefixtures("folder")
def test_json_has_everything_and_github_a_command_a_finding() -> None:
    (record,) = json.loads(run(UNUSED, "--select", "L102", "--format", "json").stdout)
    edits = record["fix"].pop("edits")
    assert [edit["text"] for edit in edits] == [""]
    assert record == {
        "code": "L102",
        "severity": "warning",
        "message": "nothing of `library.cm2` is used",
        "file": "spec.cm2",
        "line": 6,
        "column": 1,
        "end_line": 6,
        "end_column": 21,
        "help": "take the import out",
        "related": [],
        "url": "docs/rules/L102.md",
        "fix": {"message": "take the import out", "safe": True},
    }
    assert run(UNUSED, "--select", "L102", "--format", "github").stdout == (
        "::warning file=spec.cm2,line=6,endLine=6,col=1,endColumn=21,title=L102 unused-import::"
        "nothing of `library.cm2` is used%0Atake the import out\n"
    )


@pytest.mark.usefixtures("folder")
def test_sarif_gitlab_and_junit_say_the_same_as_json() -> None:
    text = UNUSED + "\ntemplate never_used() { check replied }\n"
    found = json.loads(run(text, "--select", "L1", "--format", "json").stdout)
    assert [one["code"] for one in found] == ["L102", "L101"]
    sarif = json.loads(run(text, "--select", "L1", "--format", "sarif").stdout)
    results = sarif["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == ["L102", "L101"]
    regions = [one["locations"][0]["physicalLocation"]["region"] for one in results]
    assert [(one["startLine"], one["startColumn"]) for one in regions] == [
        (one["line"], one["column"]) for one in found
    ]
    (change,) = results[0]["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": ""}
    rules = sarif["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["L102", "L101"]
    gitlab = json.loads(run(text, "--select", "L1", "--format", "gitlab").stdout)
    marks = [one["partialFingerprints"]["cm2c/v1"] for one in results]
    assert [one["fingerprint"] for one in gitlab] == marks
    assert [one["location"]["lines"]["begin"] for one in gitlab] == [6, 10]
    suites = ElementTree.fromstring(run(text, "--select", "L1", "--format", "junit").stdout)
    assert suites.get("failures") == "2"
    assert [case.get("name") for case in suites.iter("testcase")] == [
        "L102 unused-import spec.cm2:6:1",
        "L101 unused-template spec.cm2:10:10",
    ]
    empty = run("item answers { check replied }", "--select", "L1", "--format", "junit")
    assert ElementTree.fromstring(empty.stdout).get("failures") == "0"


@pytest.mark.usefixtures("folder")
def test_a_fingerprint_stays_when_lines_move() -> None:
    def marks(text: str) -> list[str]:
        found = json.loads(run(text, "--select", "L203", "--format", "gitlab").stdout)
        return [one["fingerprint"] for one in found]

    before = marks(f"{VAGUE}")
    assert marks(f"# a line\n\nitem other {{ check replied }}\n  {VAGUE}") == before
    assert marks(VAGUE.replace("appropriate", "reasonable")) != before


def test_a_baseline_leaves_what_is_new(folder: Path) -> None:
    options = ["--select", "L203", "--baseline", "known.json"]
    result = run(VAGUE, *options)
    assert result.exit_code == 2
    assert "there is no baseline `known.json`" in result.stderr
    result = run(VAGUE, *options, "--update-baseline")
    assert (result.exit_code, result.stderr) == (0, "1 finding in known.json\n")
    assert run(f"# moved\n{VAGUE}", *options).exit_code == 0
    new = VAGUE.replace("good", "other").replace("appropriate", "suitable")
    result = run(f"{VAGUE}\n{new}", *options, "--format", "concise")
    assert (result.exit_code, codes(result)) == (1, ["L203"])
    assert "`suitable`" in result.stdout
    (folder / "known.json").write_text("[]")
    assert "is no baseline" in run(VAGUE, *options).stderr
    assert "add --baseline FILE" in run(VAGUE, "--update-baseline").stderr


def test_a_file_that_does_not_compile_is_a_finding_and_the_rest_is_linted(folder: Path) -> None:
    (folder / "bad.cm2").write_text("cm2 1\ndomain a {")
    Path("spec.cm2").write_text(whole(VAGUE))
    command = ["lint", ".", "--select", "L203", "--format", "concise"]
    result = CliRunner().invoke(main, command, prog_name="cm2c")
    assert (result.exit_code, result.stderr) == (2, "")
    assert codes(result) == ["E001", "L203"]


def test_two_specs_that_import_a_faulty_one_report_it_once(folder: Path) -> None:
    (folder / "library.cm2").write_text("cm2 1\ntemplate a {")
    for name in ("one", "two"):
        (folder / f"{name}.cm2").write_text('cm2 1\nimport "library.cm2"\n')
    result = CliRunner().invoke(main, ["lint", ".", "--format", "concise"], prog_name="cm2c")
    assert result.exit_code == 2
    assert codes(result) == ["E001"]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_the_page_of_a_rule_is_the_rules_own(rule: Rule, update_golden: bool) -> None:
    path = ROOT / "docs" / "rules" / f"{rule.code}.md"
    text = page(rule)
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "run pytest with --update-golden"


def test_there_is_no_page_without_its_rule() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "rules").glob("*.md")}
    assert pages == {rule.code for rule in all_rules()} | {CODE}


def test_a_choice_of_rules_that_leaves_none_is_an_error(folder: Path) -> None:
    for options in (["--select", "L101", "--ignore", "L1"], ["--ignore", "L"]):
        result = run(VAGUE, *options)
        assert result.exit_code == 2
        assert "no rule is left: what is selected is ignored too" in result.stderr


MENDED = ["--select", "L109", "--fix"]
ALLOWED = ["--select", "L109", "--add-suppressions", "why not"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("options", [MENDED, ALLOWED], ids=["mended", "allowed"])
@pytest.mark.usefixtures("folder")
def test_what_is_changed_keeps_its_ends_of_lines_and_its_mark(
    options: list[str], end: str, mark: bytes
) -> None:
    text = whole("item good strict { check replied }")
    run("item good strict { check replied }", *options)
    plain = Path("spec.cm2").read_text(encoding="utf-8")
    assert plain != text
    Path("spec.cm2").write_bytes(mark + text.replace("\n", end).encode())
    CliRunner().invoke(main, ["lint", "spec.cm2", *options])
    assert Path("spec.cm2").read_bytes() == mark + plain.replace("\n", end).encode()


@pytest.mark.usefixtures("folder")
def test_of_several_kinds_of_ends_each_line_keeps_its_own() -> None:
    lines = whole("item good strict { check replied }\nitem more { check replied }").split("\n")
    kinds = ["\r\n", "\n", "\r"]
    text = "".join(line + kinds[at % 3] for at, line in enumerate(lines[:-1])) + lines[-1]
    Path("spec.cm2").write_bytes(text.encode())
    CliRunner().invoke(main, ["lint", "spec.cm2", *ALLOWED])
    after = Path("spec.cm2").read_bytes().decode()
    comment = next(line for line in after.splitlines(keepends=True) if "lint: allow" in line)
    assert comment.endswith("\r\n")  # as the first line's
    assert after.replace(comment, "") == text
