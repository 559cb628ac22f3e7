"""Which files a command takes from its command line, the same in all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cm2dsl.cm2c import main
from cm2dsl.compiler import compile_file
from cm2dsl.emit.bundle import bundle_files, write_bundle
from cm2dsl.project import FILE, read_project
from cm2dsl.specs import BUNDLE, find_specs
from cm2dsl.standing import Looker

GOOD = 'cm2 1\ndomain a\ntask t { turn x { user "Hello" item answers { check replied } } }\n'
NOBODY = 65534
COMMANDS = [("compile", "--check"), ("fmt", "--check"), ("lint",), ("test",), ("floor",)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GOOD if path.suffix == ".cm2" else "", encoding="utf-8")


def found(*paths: str) -> list[str]:
    return [path.as_posix() for path in find_specs(map(Path, paths or (".",)))]


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(main, arguments, prog_name="cm2c")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: for once, be somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_folder_without_specs_is_an_error_in_every_command(command: tuple[str, ...]) -> None:
    make("notes/readme.md")
    result = run(*command, "notes")
    assert result.exit_code == 2
    assert "no spec here: there is no .cm2 file in `notes`" in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_what_is_not_a_regular_file_is_said_and_not_waited_for(command: tuple[str, ...]) -> None:
    os.mkfifo("pipe.cm2")
    Path("loop.cm2").symlink_to("loop.cm2")
    make("deeper/spec.cm2")
    os.mkfifo("deeper/more.cm2")
    for name, said in [
        ("pipe.cm2", "`pipe.cm2` is not a regular file"),
        ("loop.cm2", "cannot read `loop.cm2`: too many levels of symbolic links"),
        ("deeper", "`deeper/more.cm2` is not a regular file"),
        ("none.cm2", "there is no file or folder `none.cm2`"),
    ]:
        result = run(*command, name)
        assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_folder_that_cannot_be_read_is_an_error_that_names_it(folder: Path) -> None:
    make("spec.cm2", "closed/more.cm2")
    folder.chmod(0o755)
    Path("closed").chmod(0)
    try:
        with as_nobody(), pytest.raises(click.UsageError) as raised:
            find_specs([Path()])
    finally:
        Path("closed").chmod(0o755)
    assert raised.value.message == "cannot read `closed`: permission denied"
    assert raised.value.exit_code == 2


def test_what_is_hidden_installed_or_compiled_is_passed_over() -> None:
    make("spec.cm2", "lib/spec.cm2", ".venv/a.cm2", ".git/b.cm2", ".hidden.cm2")
    make("env/pyvenv.cfg", "env/lib/c.cm2", "lib/node_modules/pkg/d.cm2")
    compiled = compile_file(Path("spec.cm2"))
    assert compiled is not None
    write_bundle(compiled, Path("build/spec"))
    make("build/spec/files/e.cm2", "build/own.cm2")
    assert found() == ["build/own.cm2", "lib/spec.cm2", "spec.cm2"]
    assert bundle_files(compiled).keys() >= BUNDLE


def test_what_is_named_is_taken_whatever_it_is() -> None:
    make(".venv/a.cm2", "env/pyvenv.cfg", "env/b.cm2", ".c.cm2", "node_modules/d.cm2", "old/e.cm2")
    Path(FILE).write_text('[tool.cm2]\nexclude = ["old"]\n')
    named = [".venv", "env", ".c.cm2", "node_modules", "old"]
    assert found(*named) == [
        *(".venv/a.cm2", "env/b.cm2", ".c.cm2", "node_modules/d.cm2", "old/e.cm2")
    ]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ('"old"', ["a/new.cm2", "a/x/draft_1.cm2", "b.cm2"]),
        ('"old/"', ["a/new.cm2", "a/x/draft_1.cm2", "b.cm2"]),
        ('"/old"', ["a/new.cm2", "a/old/y.cm2", "a/x/draft_1.cm2", "b.cm2"]),
        ('"a/old"', ["a/new.cm2", "a/x/draft_1.cm2", "b.cm2", "old/z.cm2"]),
        ('"draft_*.cm2", "a/*/y.cm2"', ["a/new.cm2", "b.cm2", "old/z.cm2"]),
        ('"a/**/*.cm2"', ["b.cm2", "old/z.cm2"]),
        ('"./a/**"', ["b.cm2", "old/z.cm2"]),
        ('"*.txt", "A"', ["a/new.cm2", "a/old/y.cm2", "a/x/draft_1.cm2", "b.cm2", "old/z.cm2"]),
    ],
)
def test_a_project_excludes_by_names_and_patterns(patterns: str, left: list[str]) -> None:
    make("b.cm2", "old/z.cm2", "a/new.cm2", "a/old/y.cm2", "a/x/draft_1.cm2")
    Path(FILE).write_text(f"[tool.cm2]\nexclude = [{patterns}]\n")
    assert found() == left
    watched = [path.as_posix() for path in Looker([Path()]).look() if path.suffix == ".cm2"]
    assert sorted(watched) == left
    own = [name for name in left if name.startswith("a/")]
    if own:  # patterns are meant from the project's folder, wherever the walk begins
        assert found("a") == own


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.cm2.lnt]", "`tool.cm2` has no setting `lnt`: did you mean `lint`?"),
        ("[tool.cm2]\nexcludes = []", "has no setting `excludes`: did you mean `exclude`?"),
        ("[tool.cm2]\nother = 1", "has no setting `other`: there is exclude, lint"),
        ("[tool]\ncm2 = 1", "`tool.cm2` is no table"),
        ("[tool.cm2]\nlint = 1", "`tool.cm2.lint` is no table"),
        ("[tool.cm2]\nexclude = 'old'", "`exclude` is a list of names and patterns"),
        ("[tool.cm2]\nexclude = ['']", "`exclude` is a list of names and patterns"),
        ("[tool.cm2]\nexclude = ['../a']", "`exclude` is a list of names and patterns"),
        ("[tool.cm2", "cannot be read"),
    ],
)
def test_settings_that_are_none_are_said(text: str, said: str, folder: Path) -> None:
    make("spec.cm2")
    Path(FILE).write_text(text)
    result = run("lint", ".")
    assert result.exit_code == 2
    assert f"Error: {folder / FILE}: " in result.stderr
    assert said in result.stderr


def test_settings_that_are_no_file_are_said(folder: Path) -> None:
    make("spec.cm2")
    path = Path(FILE)
    path.mkdir()
    result = run("lint", "spec.cm2")
    assert (result.exit_code, f"`{folder / FILE}` is not a file" in result.stderr) == (2, True)
    path.rmdir()
    path.symlink_to(FILE)
    result = run("lint", "spec.cm2")
    assert (result.exit_code, "too many levels of symbolic links" in result.stderr) == (2, True)
    path.unlink()
    os.mkfifo(FILE)
    assert run("lint", "spec.cm2").exit_code == 2


def test_the_nearest_file_with_the_table_is_the_project(folder: Path) -> None:
    make("a/b/spec.cm2")
    Path(FILE).write_text('[tool.cm2]\nexclude = ["x"]\n')
    Path("a/b", FILE).write_text("[project]\nname = 'b'\n")
    assert read_project(Path("a/b/spec.cm2")).path == folder / FILE
    Path("a", FILE).write_text("[tool.cm2]\n")
    assert read_project(Path("a/b")).path == folder / "a" / FILE


def test_a_library_alone_is_checked_and_not_compiled() -> None:
    Path("common.cm2").write_text("cm2 1\n")
    assert run("compile", "--check", ".").exit_code == 0
    result = run("compile", ".")
    assert (result.exit_code, "a spec is a .cm2 file with a `domain`" in result.stderr) == (2, True)
