"""`cm2c fmt`: the same tree, the same comments, and nothing left to do the second time."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sentences import sentence

from cm2dsl.cm2c import main
from cm2dsl.driver import TooDeep, Unexpected
from cm2dsl.fmt import formatted, says_the_same
from cm2dsl.lexemes import lexemes
from cm2dsl.source import Source

ROOT = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parent / "layout").glob("*.txt"))
SHIPPED = [*sorted((ROOT / "specs").glob("*.cm2")), *sorted((ROOT / "examples").rglob("*.cm2"))]
SENTENCES = 400


def laid_out(text: str) -> str:
    return formatted(Source(Path("x"), "x", text))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_layout_is_the_one_of_the_case(path: Path, update_golden: bool) -> None:
    given, _, wanted = path.read_text(encoding="utf-8").partition("=== laid out\n")
    text = laid_out(given)
    if update_golden:
        path.write_text(f"{given}=== laid out\n{text}", encoding="utf-8")
        return
    assert text == wanted
    assert laid_out(text) == text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_are_laid_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert laid_out(text) == text


def strewn(text: str, rng: random.Random) -> str:
    """The tokens of a text with any white space and comments between them."""
    gaps = [" ", " ", " ", "  ", "\n", "\n\n", "\n\n\n", "\t", "\r\n", " # why\n", "\n# above\n"]
    gaps += ["\n\n# apart\n\n", " #\n", "\n    # set in\n  # out\n"]
    parts = [one.text for one in lexemes(text)]
    between = "".join(part + rng.choice(gaps) for part in parts)
    return rng.choice(["", "# first\n", "\n\n", "\n# first\n\n"]) + between


def holds(text: str) -> bool:
    """Check one text; whether it is in the language."""
    given = Source(Path("x"), "x", text.replace("\r\n", "\n"))
    try:
        once = formatted(given)
    except (Unexpected, TooDeep):
        return False
    again = Source(Path("x"), "x", once)
    assert says_the_same(given, again), text
    assert formatted(again) == once, text
    assert once.endswith("\n") or not once
    assert not any(line != line.rstrip() for line in once.split("\n") if '"' not in once), text
    return True


@pytest.mark.parametrize("seed", range(8))
def test_any_text_says_the_same_and_is_laid_out_once(seed: int) -> None:
    rng = random.Random(seed)
    read = 0
    for _ in range(SENTENCES // 8):
        text = sentence(rng)
        read += holds(text) + holds(strewn(text, rng)) + holds(strewn(text, rng))
    assert read > SENTENCES // 8


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_spec_comes_back_from_any_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for seed in range(5):
        assert holds(strewn(text, random.Random(seed)))


# --- the command ------------------------------------------------------------------------------


def run(*arguments: str | Path, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["fmt", *map(str, arguments)], input=text, prog_name="cm2c")


UGLY = 'cm2 1\ndomain a   "A"\ntask t{turn u{user "x"\nitem i{check called *}}}\n'
NEAT = """cm2 1
domain a "A"
task t {
  turn u {
    user "x"
    item i { check called * }
  }
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "spec.cm2"
    path.write_text(UGLY)
    path.chmod(0o640)
    return path


def test_a_file_is_laid_out_in_its_place_and_keeps_its_mode(file: Path) -> None:
    result = run(file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"laid out {file}\n1 changed\n"
    assert file.read_text() == NEAT
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]
    assert run(file).stderr == "1 as it was\n"


def test_check_and_diff_write_nothing(file: Path) -> None:
    result = run("--check", file)
    assert (result.exit_code, result.stdout) == (1, f"would change {file}\n")
    result = run("--diff", file.parent)
    assert result.exit_code == 1
    assert '-domain a   "A"\n' in result.stdout
    assert '+domain a "A"\n' in result.stdout
    assert file.read_text() == UGLY
    file.write_text(NEAT)
    assert run("--check", "--diff", file).exit_code == 0


def test_standard_input_comes_out_laid_out() -> None:
    result = run("-", text=UGLY)
    assert (result.exit_code, result.stdout, result.stderr) == (0, NEAT, "")


def test_a_file_with_a_fault_is_left_alone_and_the_rest_is_laid_out(file: Path) -> None:
    bad = file.with_name("bad.cm2")
    bad.write_text("cm2 1\ndomain a {")
    result = run(file.parent)
    assert result.exit_code == 2
    assert f"{bad}:2:10: error[E001]: unexpected `{{`" in result.stderr
    assert "1 changed, 1 faulty" in result.stderr
    assert bad.read_text() == "cm2 1\ndomain a {"
    assert file.read_text() == NEAT


def test_line_ends_and_a_byte_order_mark_are_those_of_the_style(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + NEAT.replace("\n", "\r\n").encode())
    assert run(file).exit_code == 0
    assert file.read_bytes() == NEAT.encode()


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.cm2"
    path.write_bytes(b"cm2 1\n\xff")
    assert "this is not UTF-8 text" in run(path).stderr
    assert "there is no file or folder" in run(tmp_path / "none.cm2").stderr
    (tmp_path / "empty").mkdir()
    assert "no spec here: there is no .cm2 file in `" in run(tmp_path / "empty").stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_folder_that_cannot_be_written(file: Path) -> None:
    file.parent.chmod(0o500)
    result = run(file)
    file.parent.chmod(0o700)
    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert file.read_text() == UGLY


@pytest.mark.parametrize("text", ["cm3 1\ndomain a\n", "domain a\nitme\n", "domain a\n", "{ }"])
def test_faults_come_in_the_order_in_which_lint_says_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.cm2"
    path.write_text(text)
    linted = CliRunner().invoke(main, ["lint", str(path), "--format", "concise"])
    said = [line for line in run(path).stderr.splitlines() if line.startswith(str(path))]
    codes = [line.split("[")[1][:4] for line in said]
    assert codes == [line.split()[1] for line in linted.stdout.splitlines()]
    assert codes[0] == "E004"
    assert sum(line.startswith(f"{path}:1:1:") for line in said) == 1
