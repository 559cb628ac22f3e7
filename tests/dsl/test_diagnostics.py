"""What a person reads when a spec is wrong: the golden files in diagnostics/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cases import all_cases, read_case
from click.testing import CliRunner

from cm2dsl.cm2c import main

CASES = all_cases()
MESSAGE = re.compile(r"^\S+:\d+:\d+: (?:error\[(E\d{3})\]|note): (.*)$", re.MULTILINE)
HELP = re.compile(r"^  = help: (.*)$", re.MULTILINE)
FOREIGN = re.compile(
    r"NoneType|Traceback|Exception|Unexpected(Token|Char)|JSONDecode|\b(str|int|dict|list)\b object"
    r"|__\w+__|<class|\bToken\(|Reference\(|[A-Z]{2,}_[A-Z]+"
)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_compiler_says_what_the_case_says(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update_golden: bool
) -> None:
    case = read_case(path)
    case.unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["compile", ".", "-o", "build"], prog_name="cm2c")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if update_golden:
        case.update(result.exit_code, result.stderr)
        return
    assert result.stderr == case.stderr
    assert result.exit_code == case.exit_code
    assert result.exit_code == 0 or not (tmp_path / "build").exists()


def test_there_are_enough_wrong_specs() -> None:
    assert sum(read_case(path).exit_code == 1 for path in CASES) >= 30


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_messages_are_lower_case_without_a_full_stop_and_in_the_users_words(path: Path) -> None:
    stderr = read_case(path).stderr
    said = [message for _, message in MESSAGE.findall(stderr)] + HELP.findall(stderr)
    for text in said:
        assert not text[0].isupper(), text
        assert not text.endswith("."), text
        assert not FOREIGN.search(text), text
        assert len(text) <= 200, text


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_every_fault_says_what_to_do(path: Path) -> None:
    case = read_case(path)
    if case.exit_code == 1:
        errors = [code for code, _ in MESSAGE.findall(case.stderr) if code]
        assert errors
        assert len(HELP.findall(case.stderr)) == len(errors)
