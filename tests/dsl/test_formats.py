"""Every format of diagnostics: golden files in formats/, and the schemas of those who read them.

formats/specs/ has findings with and without a fix, with related places, with Chinese text, tabs and
signs to be escaped, and a file that does not compile.
"""

from __future__ import annotations

import json
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft4Validator, FormatChecker
from xmlschema import XMLSchema

from cm2dsl.cm2c import main
from cm2dsl.diagnostic import Diagnostic
from cm2dsl.lint.examples import unpack
from cm2dsl.lint.output import FORMATS, PROGRAMS
from cm2dsl.lint.output import github as github_format
from cm2dsl.lint.output import junit as junit_format
from cm2dsl.source import Source, Span

HERE = Path(__file__).parent
GOLDEN = HERE / "formats"
SARIF = json.loads((HERE / "schemas" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
JUNIT = XMLSchema(HERE / "schemas" / "junit-10.xsd")
ENDINGS = {"json": "json", "sarif": "json", "gitlab": "json", "junit": "xml"}
RULES = "L102,L103,L110,L203,L213"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpack(tmp_path)
    shutil.copytree(GOLDEN / "specs", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(form: str, *paths: str) -> Result:
    command = ["lint", *(paths or (".",)), "--select", RULES, "--format", form]
    result = CliRunner().invoke(main, command, prog_name="cm2c")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("folder")
def test_the_format_says_what_its_golden_file_says(form: str, update_golden: bool) -> None:
    for name, paths, code in (("found", (), 2), ("nothing", ("fine.cm2",), 0)):
        path = GOLDEN / f"{form}.{name}.{ENDINGS.get(form, 'txt')}"
        result = lint(form, *paths)
        said = re.sub(
            r'"version": "\d+\.\d+\.\d+[^"]*",\n +"rules"', '"version": "…", "rules"', result.stdout
        )
        if update_golden:
            path.write_text(said, encoding="utf-8")
        assert said == path.read_text(encoding="utf-8"), "run pytest with --update-golden"
        assert (result.exit_code, result.stderr) == (code, "")


def test_the_golden_files_show_every_kind(folder: Path) -> None:
    found = json.loads(lint("json").stdout)
    assert {one["severity"] for one in found} == {"warning", "error"}
    assert {one["code"][0] for one in found} == {"E", "L"}
    assert {bool(one["fix"]) for one in found} == {True, False}
    assert any(one["related"] for one in found if one["code"][0] == "E")
    assert any(one["related"] for one in found if one["code"][0] == "L")
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.cm2"))
    assert all(sign in text for sign in "\t%&<\\恰")
    assert any("%" in one["file"] and "," in one["file"] for one in found)


def faults(value: Any) -> list[str]:
    validator = Draft4Validator(SARIF, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(value)]


@pytest.mark.parametrize("paths", [(), ("fine.cm2",), ("broken.cm2",)])
@pytest.mark.usefixtures("folder")
def test_sarif_is_valid_against_its_schema(paths: tuple[str, ...]) -> None:
    whole = json.loads(lint("sarif", *paths).stdout)
    assert faults(whole) == []
    for result in whole["runs"][0]["results"]:
        rule = whole["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
    del whole["version"]
    assert faults(whole)


@pytest.mark.usefixtures("folder")
def test_the_fixes_of_sarif_are_those_of_lint(folder: Path) -> None:
    """Applied by their regions alone, they make the file that --fix makes."""
    (spec,) = folder.glob("评价*")
    lines = spec.read_text(encoding="utf-8").splitlines(keepends=True)
    edits = []
    for result in json.loads(lint("sarif", spec.name).stdout)["runs"][0]["results"]:
        for change in result.get("fixes", [{"artifactChanges": []}])[0]["artifactChanges"]:
            edits += change["replacements"]
    assert len(edits) == 2
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    text = "".join(lines)
    for edit in sorted(edits, key=lambda one: one["deletedRegion"]["startLine"], reverse=True):
        region = edit["deletedRegion"]
        start = starts[region["startLine"] - 1] + region["startColumn"] - 1
        stop = starts[region["endLine"] - 1] + region["endColumn"] - 1
        text = text[:start] + edit["insertedContent"]["text"] + text[stop:]
    CliRunner().invoke(main, ["lint", spec.name, "--select", RULES, "--fix"])
    assert spec.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("paths", [(), ("fine.cm2",), ("broken.cm2",)])
@pytest.mark.usefixtures("folder")
def test_junit_is_valid_against_its_schema(paths: tuple[str, ...]) -> None:
    text = lint("junit", *paths).stdout
    JUNIT.validate(text)
    suites = ElementTree.fromstring(text)
    for kind in ("failure", "error"):
        counts = {suites.get(f"{kind}s"), suites[0].get(f"{kind}s")}
        assert counts == {str(len(list(suites.iter(kind))))}
    assert not JUNIT.is_valid(text.replace("<testcase name", "<testcase nme"))


@pytest.mark.usefixtures("folder")
def test_gitlab_has_what_a_code_quality_report_must_have() -> None:
    report = json.loads(lint("gitlab").stdout)
    marks = [one["fingerprint"] for one in report]
    assert len(set(marks)) == len(marks) > 0
    for one in report:
        assert set(one) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert isinstance(one["location"]["lines"]["begin"], int)
        path = one["location"]["path"]
        assert not path.startswith(("/", "./"))
        assert Path(path).is_file()
    assert json.loads(lint("gitlab", "fine.cm2").stdout) == []


COMMAND = re.compile(r"::(?P<kind>error|warning) (?P<values>[^:]*)::(?P<text>.*)")


@pytest.mark.usefixtures("folder")
def test_github_reads_back_what_was_said() -> None:
    """Read as the runner reads it: values end at commas, then escapes are undone."""
    lines = lint("github").stdout.splitlines()
    records = json.loads(lint("json").stdout)
    for line, record in zip(lines, records, strict=True):
        match = COMMAND.fullmatch(line)
        assert match is not None, line
        values = dict(value.split("=", 1) for value in match["values"].split(","))
        undone = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
        for name, value in values.items():
            for escape, sign in undone.items():
                value = value.replace(escape, sign)
            values[name] = value
        assert match["kind"] == record["severity"]
        assert values["file"] == record["file"]
        assert (values["line"], values["col"]) == (str(record["line"]), str(record["column"]))
        text = match["text"].replace("%0A", "\n").replace("%25", "%")
        assert text.split("\n")[0] == record["message"]
        assert text.split("\n")[-1] == record["help"]


@pytest.mark.parametrize("form", ["text", "concise", "github"])
def test_no_line_of_a_log_begins_with_what_a_spec_says(form: str) -> None:
    """A runner obeys lines that begin with `::`."""
    text = "\n::error::x\r::stop-commands::y"
    span = Span(Source(Path("a"), f"a{text}.cm2", text), 3, 4)
    fault = Diagnostic("E001", f"unexpected `{text}`", span, text, ((span, text),))
    shown = import_module(f"cm2dsl.lint.output.{form}").show([fault])
    lines = [line for line in re.split(r"[\r\n]", shown) if line.startswith("::")]
    assert len(lines) == (form == "github")


def test_github_has_no_columns_over_several_lines() -> None:
    """The runner drops the place of an annotation that has them."""
    span = Span(Source(Path("a"), "a.cm2", "one\ntwo\n"), 1, 6)
    (line,) = github_format.show([Diagnostic("L103", "twice", span)]).splitlines()
    assert line == "::error file=a.cm2,line=1,endLine=2,title=L103::twice"


def test_what_xml_cannot_hold_does_not_break_junit() -> None:
    text = "".join(map(chr, [0, 8, 0x1B, 0x85, 0xD800, 0xFFFE, 0x202E])) + "]]>&<\n"
    span = Span(Source(Path("a"), f"a{text}.cm2", text), 0, 1)
    fault = Diagnostic("E001", f"unexpected `{text}`", span, text, ((span, text),))
    JUNIT.validate(junit_format.show([fault]))


@pytest.mark.usefixtures("folder")
def test_whole_paths_inside_the_working_folder_are_named_from_there(folder: Path) -> None:
    for form in PROGRAMS:
        assert lint(form, str(folder / "broken.cm2")).stdout == lint(form, "broken.cm2").stdout


@pytest.mark.parametrize("form", FORMATS)
def test_compile_reports_in_the_same_formats(form: str, folder: Path) -> None:
    command = ["compile", "broken.cm2", "-o", "build", "--format", form]
    result = CliRunner().invoke(main, command, prog_name="cm2c")
    assert result.exit_code == 1
    assert not (folder / "build").exists()
    if form == "text":
        assert result.stdout == ""
        assert result.stderr.endswith(
            "4 faults, nothing was written\n`cm2c explain E101` says more\n"
        )
    else:
        assert (result.stdout, result.stderr) == (lint(form, "broken.cm2").stdout, "")


def test_compile_reports_nothing_where_all_is_well(folder: Path) -> None:
    command = ["compile", "fine.cm2", "-o", "build", "--format", "json"]
    result = CliRunner().invoke(main, command, prog_name="cm2c")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert result.stderr.startswith("fine.cm2 -> build")
    assert (folder / "build" / "fine").is_dir()


def test_compile_check_writes_nothing(folder: Path) -> None:
    command = ["compile", "--check", "fine.cm2", "library.cm2", "-o", "build"]
    result = CliRunner().invoke(main, command, prog_name="cm2c")
    assert (result.exit_code, result.output) == (0, "")
    assert not (folder / "build").exists()
    command = ["compile", "--check", "fine.cm2", "broken.cm2"]
    assert CliRunner().invoke(main, command, prog_name="cm2c").exit_code == 1
