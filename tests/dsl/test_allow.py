"""`cm2c lint --add-suppressions`: comments that allow what is found, where they belong."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_fmt import strewn

from cm2dsl.cm2c import main
from cm2dsl.fmt import formatted
from cm2dsl.fmt.same import meaning_of
from cm2dsl.lint.allow import with_allowances
from cm2dsl.lint.examples import unpack, whole
from cm2dsl.lint.registry import all_rules
from cm2dsl.lint.rule import Bad, Rule
from cm2dsl.lint.run import lint
from cm2dsl.lint.subject import Subject
from cm2dsl.lint.suppress import CODE
from cm2dsl.source import Source

ROOT = Path(__file__).parents[2]
RULES = all_rules()
RAN = frozenset(rule.code for rule in RULES)
WHY = "seen by the desk, 已看过"
EXAMPLES = [(rule, bad) for rule in RULES for bad in rule.bad]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source_of(text: str) -> Source:
    return Source(Path("x"), "x", text)


def run(path: Path, *options: str) -> Result:
    command = ["lint", str(path), *options, "--format", "concise"]
    return CliRunner().invoke(main, command, prog_name="cm2c")


def add(path: Path, why: str = WHY) -> Result:
    return run(path, "--add-suppressions", why)


def add_to(text: str, select: str, why: str = WHY) -> str:
    """The items of a turn after comments were added to them; the rest of the spec is left out."""
    Path("spec.cm2").write_text(formatted(source_of(whole(text))), encoding="utf-8")
    command = ["lint", "spec.cm2", "--select", select, "--add-suppressions", why]
    assert CliRunner().invoke(main, command).exit_code == 0
    after = Path("spec.cm2").read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["lint", "spec.cm2", "--select", select]).exit_code == 0
    lines = after.split('Monday"\n')[1].split("\n  }\n")[0].split("\n")
    return "\n".join(line.removeprefix("    ") for line in lines)


@pytest.mark.parametrize("name", ["airline.cm2", "tutor.cm2", "挂号.cm2", "common.cm2"])
def test_a_shipped_spec_is_clean_afterwards_laid_out_and_says_the_same(
    name: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "specs", tmp_path, dirs_exist_ok=True)
    path = tmp_path / name
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    before = formatted(source_of("".join(line for line in lines if "# lint: allow" not in line)))
    path.write_text(before, encoding="utf-8")
    result = add(path)
    assert (result.exit_code, result.stdout) == (0, "")
    after = path.read_text(encoding="utf-8")
    assert formatted(source_of(after)) == after
    assert meaning_of(source_of(after)) == meaning_of(source_of(before))
    kept = [line for line in after.splitlines() if "# lint: allow" not in line]
    assert [line.split() for line in kept] == [line.split() for line in before.splitlines()]
    assert add(path).stderr == ""
    assert path.read_text(encoding="utf-8") == after


@pytest.mark.parametrize(("rule", "bad"), EXAMPLES, ids=[rule.code for rule, _ in EXAMPLES])
def test_every_rules_examples_can_be_allowed(rule: Rule, bad: Bad, folder: Path) -> None:
    path = folder / "spec.cm2"
    settings = "".join(f"{name} = {value}\n" for name, value in bad.settings.items())
    (folder / "pyproject.toml").write_text(f"[tool.cm2.lint]\n{settings}")
    for before in (whole(bad.text), formatted(source_of(whole(bad.text)))):
        path.write_text(before, encoding="utf-8")
        assert f" {rule.code} " in run(path).stdout
        add(path)
        assert run(path).stdout == ""
        after = path.read_text(encoding="utf-8")
        assert meaning_of(source_of(after)) == meaning_of(source_of(before))
        if formatted(source_of(before)) == before:
            assert formatted(source_of(after)) == after


@pytest.mark.parametrize("seed", range(4))
def test_in_any_layout_what_is_left_has_no_place_for_a_comment(seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    path = folder / "spec.cm2"
    left = before = 0
    for _, bad in rng.sample(EXAMPLES, 12):
        given = strewn(whole(bad.text), rng).replace("\r\n", "\n")
        path.write_text(given, encoding="utf-8")
        subject = Subject.read(path)
        found = [one for one in lint(subject, RULES) if one.code != CODE]
        after, count = with_allowances(subject.source, found, RAN, WHY)
        assert meaning_of(source_of(after)) == meaning_of(source_of(given))
        path.write_text(after, encoding="utf-8")
        still = lint(Subject.read(path), RULES)
        assert len(still) == len(found) - count
        left += len(still)
        before += len(found)
    assert left <= before / 10


VAGUE = 'item good { ask "Is the reply appropriate?" }'


@pytest.mark.usefixtures("folder")
def test_several_findings_on_a_line_have_one_comment() -> None:
    text = add_to(VAGUE, "L203,L205", "their word")
    assert text == f"# lint: allow L203, L205: their word\n{VAGUE}"


@pytest.mark.usefixtures("folder")
def test_a_comment_with_the_same_reason_takes_the_code() -> None:
    for given in (f"# lint: allow L203: their word\n{VAGUE}", f"{VAGUE}  # lint: allow L203: a"):
        why = "their word" if "their" in given else "a"
        wanted = given.replace("L203", "L203, L205")
        assert add_to(given, "L203,L205", why) == wanted


@pytest.mark.usefixtures("folder")
def test_another_reason_stays_with_its_own_code() -> None:
    text = add_to(f"# lint: allow L203: their word\n{VAGUE}", "L203,L205", "no time")
    assert text == f"# lint: allow L203: their word\n# lint: allow L205: no time\n{VAGUE}"


@pytest.mark.usefixtures("folder")
def test_a_comment_without_a_reason_gets_it() -> None:
    assert add_to(f"{VAGUE}  # lint: allow L203", "L203", "a").endswith("# lint: allow L203: a")
    text = add_to(f"{VAGUE}  # lint: allow L203, L301", "L203", "a")
    assert text.endswith("# lint: allow L203, L301: a")


@pytest.mark.usefixtures("folder")
def test_in_a_block_the_comment_stands_above_the_line_that_it_is_for() -> None:
    given = 'item good {\n  focus reply\n  ask   "Is the reply appropriate?"\n  fail  "No"\n}'
    assert add_to(given, "L203", "a") == (
        "item good {\n"
        "  focus reply\n"
        "  # lint: allow L203: a\n"
        '  ask  "Is the reply appropriate?"\n'
        '  fail "No"\n'
        "}"
    )


@pytest.mark.usefixtures("folder")
def test_a_line_that_begins_in_a_string_has_its_comment_behind() -> None:
    path = Path("spec.cm2")
    path.write_text(whole('item good { fail "No\nnot" ask "Is the reply appropriate?"\n}'))
    run(path, "--select", "L203", "--add-suppressions", "a")
    line = '    not" ask "Is the reply appropriate?"  # lint: allow L203: a'
    assert line in path.read_text().split("\n")
    assert run(path, "--select", "L203").exit_code == 0


@pytest.mark.usefixtures("folder")
def test_what_allows_nothing_stays_a_finding() -> None:
    path = Path("spec.cm2")
    path.write_text(whole("item answers { check replied }  # lint: allow L203: once"))
    result = add(path)
    assert result.exit_code == 1
    assert "L001" in result.stdout


def test_signs_of_a_regex_begin_no_comment_and_no_string(folder: Path) -> None:
    path = folder / "spec.cm2"
    check = r'item a { check reply matches /"# lint: allow L203: x/ }  # lint: allow L301: because'
    path.write_text(whole(check), encoding="utf-8")
    codes = [one.code for one in lint(Subject.read(path), RULES)]
    assert codes.count("L001") == 1
    assert "L301" in str([one.finding.message for one in lint(Subject.read(path), RULES)])


@pytest.mark.usefixtures("folder")
def test_only_the_files_named_are_written() -> None:
    library = Path("library.cm2")
    library.write_text(library.read_text() + '\ntemplate b() { ask "Is it suitable?" }\n')
    before = library.read_text()
    Path("spec.cm2").write_text(whole('import "library.cm2"\n\n' + TASK))
    add(Path("spec.cm2"))
    assert library.read_text() == before
    assert "L203" in add(library).stdout + library.read_text()


TASK = 'task trip { turn ask { user "Hello" use b() } }'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--add-suppressions", " "], "wants a reason, in one line"),
        (["--add-suppressions", "a\nb"], "wants a reason, in one line"),
        (["--add-suppressions", "a\x1b[0m"], "wants a reason, in one line"),
        (["--add-suppressions", "a", "--fix"], "goes without --fix and --baseline"),
        (["--add-suppressions", "a", "--baseline", "b"], "goes without --fix and --baseline"),
        (["--unsafe-fixes"], "--unsafe-fixes goes with --fix"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_done_is_refused(options: list[str], said: str) -> None:
    Path("spec.cm2").write_text(whole(VAGUE))
    result = CliRunner().invoke(main, ["lint", "spec.cm2", *options], prog_name="cm2c")
    assert result.exit_code == 2
    assert said in result.stderr
    assert Path("spec.cm2").read_text() == whole(VAGUE)
