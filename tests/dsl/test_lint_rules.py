"""Every rule: its bad snippets, its good ones and the fixed text say what it does, and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm2dsl.lint.budget import Budget
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.fix import apply
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import Bad, Rule
from cm2dsl.lint.run import Found, lint
from cm2dsl.lint.subject import Subject

RULES = all_rules()
BAD = [(rule, bad) for rule in RULES for bad in rule.bad]
GOOD = [(rule, good) for rule in RULES for good in rule.good]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    unpack(tmp_path)
    return tmp_path


def found(folder: Path, text: str, rule: Rule, budget: Budget | None = None) -> list[Found]:
    path = folder / "spec.cm2"
    path.write_text(text, encoding="utf-8")
    return lint(Subject.read(path, budget=budget), [rule])


@pytest.mark.parametrize(("rule", "bad"), BAD, ids=[rule.name for rule, _ in BAD])
def test_a_bad_snippet_is_found_and_mended(rule: Rule, bad: Bad, folder: Path) -> None:
    text = whole(bad.text)
    said = found(folder, text, rule, Budget.of(bad.settings))
    assert [one.code for one in said] == [rule.code]
    fix = said[0].finding.fix
    assert (fix is None) == (bad.fixed is None)
    if fix is not None and bad.fixed is not None:
        mended, count = apply(text, [fix])
        assert (mended, count) == (whole(bad.fixed), 1)
        assert found(folder, mended, rule) == []


@pytest.mark.parametrize(("rule", "good"), GOOD, ids=[rule.name for rule, _ in GOOD])
def test_a_good_snippet_is_left_alone(rule: Rule, good: str, folder: Path) -> None:
    assert found(folder, whole(good), rule) == []


def test_codes_and_names_are_the_rules_own() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    families = {"structure": "1", "wording": "2", "evidence": "3", "reward": "4", "cost": "5"}
    for rule in RULES:
        assert rule.code[:2] == f"L{families[rule.family]}"
        assert rule.bad
        assert rule.good
        assert rule.__doc__


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_messages_are_lower_case_without_a_full_stop(rule: Rule, folder: Path) -> None:
    for bad in rule.bad:
        for one in found(folder, whole(bad.text), rule, Budget.of(bad.settings)):
            for text in (one.finding.message, one.finding.help, rule.title):
                assert not text[0].isupper()
                assert not text.endswith(".")


GUARD = """item searches weight {1} {{ check called search(to == "Rome") }}
{0} {{ check {2} }}"""


@pytest.mark.parametrize(
    ("code", "head", "share", "check"),
    [
        ("L401", "never books weight 1 veto", 4, "called book"),
        ("L401", "always careful weight 1 penalty 0.5", 4, "not called book"),
        ("L408", "never books weight 1 veto", 1, "called book"),
        ("L409", "at_end answers weight 1 veto", 4, "replied"),
        ("L409", "at_end answers weight 1 penalty 0.5", 4, "replied"),
    ],
)
def test_a_guard_that_is_paid_for_is_told_to_give_its_weight_away(
    code: str, head: str, share: int, check: str, folder: Path
) -> None:
    (rule,) = [one for one in RULES if one.code == code]
    (one,) = found(folder, whole(GUARD.format(head, share, check)), rule)
    guard = "penalty" if "penalty" in head else "veto"
    wanted = {
        "L408": "take it from `ask.books`: a `veto` or a `penalty` needs none",
        "L401": f"take the weight away: a {guard} needs none",
        "L409": f"take the weight away: a {guard} needs none",
    }
    assert one.finding.help is not None
    assert one.finding.help.endswith(wanted[code])
