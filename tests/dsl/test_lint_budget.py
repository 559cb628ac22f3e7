"""The budget of a project: read from its settings, and held against what a rollout takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cm2dsl.cm2c import main
from cm2dsl.lint.budget import Budget
from cm2dsl.lint.config import read_config
from cm2dsl.lint.cost import size_of
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.subject import Subject

ASKS = """item names {
  ask    "Does the reply name a flight?"
  fail   "Offers help"
  anchor reply "KF12"
}
item costs {
  ask    "Does the reply name a price?"
  fail   "Offers help"
  anchor reply "costs 120"
}"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    unpack(tmp_path)
    (tmp_path / "spec.cm2").write_text(whole(ASKS))
    return tmp_path


def cost(folder: Path, table: str) -> Result:
    (folder / "pyproject.toml").write_text(f"[tool.cm2.lint]\n{table}\n")
    command = ["lint", "spec.cm2", "--select", "L5", "--format", "concise"]
    return CliRunner().invoke(main, command, prog_name="cm2c")


def test_what_a_project_does_not_say_is_as_by_default(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.cm2.lint]\nmax-judge-calls = 12\n")
    assert read_config(folder).budget == Budget(judge_calls=12)


def test_each_setting_is_the_most_that_is_allowed(folder: Path) -> None:
    assert cost(folder, "max-judge-calls = 2").exit_code == 0
    over = cost(folder, "max-judge-calls = 1").stdout
    assert "L501 a dialogue takes up to 2 requests to the judge, and the budget is 1" in over
    costs = Subject.read(folder / "spec.cm2").costs["trip"]
    assert costs.largest is not None
    most, whole = costs.largest.size.tokens, costs.tokens
    assert cost(folder, f"max-prompt-tokens = {most}").exit_code == 0
    assert (
        f"L503 a prompt to the judge is about {most:,}"
        in cost(folder, f"max-prompt-tokens = {most - 1}").stdout
    )
    assert cost(folder, f"max-rollout-tokens = {whole}").exit_code == 0
    assert (
        f"L504 a dialogue makes the judge read about {whole:,}"
        in cost(folder, f"max-rollout-tokens = {whole - 1}").stdout
    )


@pytest.mark.parametrize("value", ["-1", "1.5", "true", '"12"', "[12]"])
@pytest.mark.parametrize("key", ["max-judge-calls", "max-prompt-tokens", "max-rollout-tokens"])
def test_a_budget_that_is_no_whole_number_is_said(folder: Path, key: str, value: str) -> None:
    result = cost(folder, f"{key} = {value}")
    assert result.exit_code == 2
    assert f"`{key}` is a whole number from 0, such as 12" in result.stderr


def test_a_misspelt_budget_is_said_with_the_right_word(folder: Path) -> None:
    result = cost(folder, "max-judge-cals = 12")
    assert result.exit_code == 2
    assert "has no setting `max-judge-cals`: did you mean `max-judge-calls`?" in result.stderr


def test_a_chinese_letter_is_a_token_and_four_others_are_one() -> None:
    assert [size_of(text).tokens for text in ("", "a", "abcd", "abcde", "预约", "预约a")] == [
        0,
        1,
        1,
        2,
        2,
        3,
    ]
