"""`cm2c lint --baseline`: what was there before is not shown, wherever it has moved."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cm2dsl.cm2c import main
from cm2dsl.lexemes import lexemes
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import Bad, Rule

EXAMPLES = [(rule, bad) for rule in all_rules() for bad in rule.bad]
VAGUE = 'item good { ask "Is the reply appropriate?" fail "Names no price" }'
BASELINE = ["--baseline", "known.json"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*options: str) -> Result:
    result = CliRunner().invoke(main, ["lint", *options, "--format", "concise"], prog_name="cm2c")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def moved(text: str, rng: random.Random) -> str:
    """The same lines at other places: set in otherwise, empty lines and comments between them."""
    inside = {
        number
        for one in lexemes(text)
        for number in range(text.count("\n", 0, one.start) + 1, text.count("\n", 0, one.stop) + 1)
    }
    found: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if number in inside:  # it goes on with a string
            found.append(line)
            continue
        between = ["", "# why", "\t# and why", " "]
        found += rng.choices(between, k=rng.randrange(4))
        found.append(" " * rng.randrange(9) + re.sub(r"^\s+", "", line))
    return "\n".join(found)


@pytest.mark.parametrize(("rule", "bad"), EXAMPLES, ids=[rule.code for rule, _ in EXAMPLES])
def test_what_has_moved_is_known(rule: Rule, bad: Bad, folder: Path) -> None:
    settings = "".join(f"{name} = {value}\n" for name, value in bad.settings.items())
    (folder / "pyproject.toml").write_text(f"[tool.cm2.lint]\n{settings}")
    path = folder / "spec.cm2"
    path.write_text(whole(bad.text), encoding="utf-8")
    before = run("spec.cm2").stdout.splitlines()
    assert any(f" {rule.code} " in line for line in before)
    assert run("spec.cm2", *BASELINE, "--update-baseline").exit_code == 0
    for seed in range(5):
        path.write_text(moved(whole(bad.text), random.Random(seed)), encoding="utf-8")
        assert len(run("spec.cm2").stdout.splitlines()) == len(before)
        result = run("spec.cm2", *BASELINE)
        assert (result.exit_code, result.stdout) == (0, "")


def test_a_second_one_of_the_same_words_is_new(folder: Path) -> None:
    path = folder / "spec.cm2"
    select = ["--select", "L203"]
    path.write_text(whole(VAGUE))
    run("spec.cm2", *select, *BASELINE, "--update-baseline")
    again = VAGUE.replace("ask", "\n ask").replace("fail", "\n fail")
    path.write_text(whole(f"{VAGUE}\n{again.replace('good', 'other')}"))
    assert run("spec.cm2", *select, *BASELINE).stdout.count("L203") == 1


def test_a_baseline_is_the_same_from_a_whole_path(folder: Path) -> None:
    (folder / "spec.cm2").write_text(whole(VAGUE))
    run(".", *BASELINE, "--update-baseline")
    for name in (str(folder / "spec.cm2"), str(folder), "./spec.cm2"):
        assert run(name, *BASELINE).exit_code == 0


def test_a_baseline_is_not_written_while_a_file_does_not_compile(folder: Path) -> None:
    (folder / "spec.cm2").write_text(whole(VAGUE))
    run(".", *BASELINE, "--update-baseline")
    known = (folder / "known.json").read_text()
    for wrong in ("cm2 1\ndomain a {", 'cm2 1\nimport "no.cm2"\n'):
        (folder / "bad.cm2").write_text(wrong)
        (folder / "spec.cm2").write_text(whole("item answers { check replied }"))
        result = run(".", *BASELINE, "--update-baseline")
        assert result.exit_code == 2
        assert result.stderr == "known.json is left as it was: correct these faults first\n"
        assert result.stdout.startswith("bad.cm2:2:")
        assert (folder / "known.json").read_text() == known


def test_a_fault_is_shown_whatever_a_baseline_says(folder: Path) -> None:
    (folder / "spec.cm2").write_text(whole(VAGUE))
    run(".", *BASELINE, "--update-baseline")
    (folder / "spec.cm2").write_text(whole(VAGUE).replace("fail", "fial"))
    result = run(".", *BASELINE)
    assert (result.exit_code, " E001 " in result.stdout) == (2, True)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", "\xff", '{"version": 2, "findings": {}}', '{"version": 1}'),
        *('{"version": 1, "findings": 3}', '{"version": 1, "findings": [[]]}'),
    ],
)
def test_what_is_no_baseline_is_said(text: str, folder: Path) -> None:
    (folder / "spec.cm2").write_text(whole(VAGUE))
    (folder / "known.json").write_bytes(text.encode("latin-1"))
    result = run(".", *BASELINE)
    assert result.exit_code == 2
    assert (
        "`known.json` is no baseline: name another file, or delete this one first" in result.stderr
    )


def test_a_baseline_that_cannot_be_written_is_said(folder: Path) -> None:
    (folder / "spec.cm2").write_text(whole(VAGUE))
    result = run(".", "--baseline", "no/known.json", "--update-baseline")
    assert result.exit_code == 2
    assert "cannot write `no/known.json`: no such file or directory" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--select", "L999"], "there is no rule `L999`: `cm2c explain` lists them"),
        (["--select", "L1,vague-wrod"], "no rule `vague-wrod`: did you mean `vague-word`?"),
        (["--ignore", "E101"], "`E101` is no rule to choose: it is reported in any case"),
        (["--ignore", "L001"], "`L001` is no rule to choose"),
        (["--ignore", "L203 L205"], "there is no rule `L203 L205`"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_code_that_is_none_is_said(options: list[str], said: str) -> None:
    Path("spec.cm2").write_text(whole(VAGUE))
    result = run("spec.cm2", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_code_that_is_none_in_the_settings_is_said_with_their_file(folder: Path) -> None:
    Path("spec.cm2").write_text(whole(VAGUE))
    settings = folder / "pyproject.toml"
    settings.write_text('[tool.cm2.lint]\nignore = ["vague-wrod"]\n')
    result = run("spec.cm2")
    assert result.exit_code == 2
    assert f"{settings}: there is no rule `vague-wrod`: did you mean `vague-word`?" in result.stderr
    result = run("spec.cm2", "--select", "L998")
    assert f"{settings}" not in result.stderr


def test_only_a_baseline_is_overwritten(folder: Path) -> None:
    text = whole(VAGUE)
    for name, content in [("spec.cm2", text), ("empty.json", ""), ("other.json", "{}\n")]:
        (folder / "spec.cm2").write_text(text)
        (folder / name).write_text(content)
        result = run("spec.cm2", "--baseline", name, "--update-baseline")
        assert result.exit_code == 2
        assert f"`{name}` is no baseline: name another file, or delete" in result.stderr
        assert (folder / name).read_text() == content
    run("spec.cm2", *BASELINE, "--update-baseline")
    assert run("spec.cm2", *BASELINE, "--update-baseline").exit_code == 0


def test_what_the_baseline_knows_is_not_mended(folder: Path) -> None:
    path = folder / "spec.cm2"
    known = 'item known { ask "Does the  reply name a price?" fail "No" }'
    other = known.replace("known", "other")
    path.write_text(whole(known))
    select = ["--select", "L213", *BASELINE]
    run("spec.cm2", *select, "--update-baseline")
    path.write_text(whole(f"{known}\n{other}"))
    result = run("spec.cm2", *select, "--fix", "--unsafe-fixes")
    assert (result.exit_code, result.stderr) == (0, "mended spec.cm2: 1\n")
    mended = other.replace("the  reply", "the reply")
    assert path.read_text() == whole(f"{known}\n{mended}")


def test_what_the_baseline_knows_is_not_mended_either_when_its_line_has_changed(
    folder: Path,
) -> None:
    path = folder / "spec.cm2"
    text = 'item good strict { ask "Does the  reply name a price?" fail "No" }'
    path.write_text(whole(text))
    run("spec.cm2", "--select", "L213", *BASELINE, "--update-baseline")
    result = run("spec.cm2", "--select", "L213,L109", *BASELINE, "--fix", "--unsafe-fixes")
    assert path.read_text() == whole(text.replace(" strict", ""))
    assert (result.exit_code, " L213 " in result.stdout) == (1, True)  # its line is another


def test_a_baseline_that_is_missing_is_said_before_anything_is_mended(folder: Path) -> None:
    path = folder / "spec.cm2"
    text = whole("item good strict { check replied }")
    path.write_text(text)
    assert run("spec.cm2", "--fix", "--baseline", "none.json").exit_code == 2
    assert path.read_text() == text
