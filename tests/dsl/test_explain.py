"""`cm2c explain`: every code has a page, and an example that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cm2dsl.cm2c import main
from cm2dsl.codes import CODES
from cm2dsl.codes.code import Code
from cm2dsl.diagnostic import Diagnostic
from cm2dsl.explain import diagnostics_of, fault_page
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.suppress import CODE
from cm2dsl.source import Source, Span

ROOT = Path(__file__).parents[2]
QUOTED = re.compile(r'"(E\d{3})"')


def path_of(code: str) -> Path:
    return ROOT / Diagnostic(code, "", Span(Source(Path(), "", ""), 0, 0)).url


def used_codes() -> set[str]:
    """Those that the source reports, the table of what they mean left out."""
    sources = [
        path
        for path in (ROOT / "cm2dsl").rglob("*.py")
        if (ROOT / "cm2dsl" / "codes") not in path.parents
    ]
    return {code for path in sources for code in QUOTED.findall(path.read_text(encoding="utf-8"))}


def test_every_code_that_is_reported_is_explained_and_no_other() -> None:
    explained = [one.code for one in CODES]
    assert len(set(explained)) == len(explained)
    assert set(explained) == used_codes() | {CODE}


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
def test_the_example_of_a_code_shows_that_code_alone(code: Code) -> None:
    said = diagnostics_of(code)
    assert {(one.code, one.severity) for one in said} == {(code.code, code.severity)}
    assert all(one.help for one in said)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
def test_the_page_of_a_code_is_its_own(code: Code, update_golden: bool) -> None:
    path = path_of(code.code)
    text = fault_page(code)
    if update_golden:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "run pytest with --update-golden"


def test_no_page_is_without_its_code() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "errors").glob("*.md")}
    assert pages == {one.code for one in CODES if one.code.startswith("E")}


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.code)
def test_what_is_said_of_a_code_is_in_the_style(code: Code) -> None:
    assert not code.title[0].isupper()
    assert not code.title.endswith(".")
    for text in (code.why, code.do):
        assert text[0].isupper() or text[0] in '`"'
        assert text.endswith(".")


def test_explain_lists_all_codes_and_shows_one() -> None:
    listed = CliRunner().invoke(main, ["explain"]).stdout.splitlines()
    codes = [line.split()[0] for line in listed]
    assert codes == [*(one.code for one in CODES), *(rule.code for rule in all_rules())]
    for name in ("L203", "l203", "vague-word"):
        shown = CliRunner().invoke(main, ["explain", name]).stdout
        assert shown.startswith("# L203: vague-word\n")
    assert CliRunner().invoke(main, ["explain", "e101"]).stdout == path_of("E101").read_text(
        "utf-8"
    )


@pytest.mark.parametrize(
    ("name", "help"),
    [
        ("vague-wrod", "did you mean `vague-word`?"),
        ("E999", "`cm2c explain` lists them"),
        ("", "`cm2c explain` lists them"),
    ],
)
def test_explain_of_what_is_no_code_says_so(name: str, help: str) -> None:
    result = CliRunner().invoke(main, ["explain", name])
    assert result.exit_code == 2
    assert result.stderr.endswith(f"there is no rule or error `{name}`: {help}\n")
