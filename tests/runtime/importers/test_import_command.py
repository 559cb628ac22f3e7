"""`cm2 import`: what is printed, what is written, and every way in which it cannot be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cm2.cli import main
from cm2.commands import import_
from cm2.importers import openai
from cm2.importers.draft import Item, Spec, Task, Turn

CHAT = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder that has a log of one dialogue."""
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text(json.dumps(CHAT) + "\n")
    return lambda *arguments: CliRunner().invoke(main, ["import", *arguments])


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def fails(result: Result, *words: str) -> None:
    """The command ended with code 2, an error and help, and no traceback."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "error: " in result.stderr
    assert "\n  = help: " in result.stderr
    for word in words:
        assert word in result.stderr


def test_it_says_what_was_written_and_how_much_the_report_says(run: Run) -> None:
    result = run("openai", "log.jsonl", "-o", "out")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "out/log.cm2: 1 task, 1 item\n"
        "  the report says what is not in it (1 sentence): out/log.report.md\n"
    )
    assert Path("out/log.report.md").is_file()
    assert names("out") == ["log.cm2", "log.recordings.jsonl", "log.report.md"]


def test_the_folder_is_specs_where_none_is_named(run: Run) -> None:
    assert run("openai", "log.jsonl").exit_code == 0
    assert Path("specs/log.cm2").is_file()


def test_help_lists_every_source_with_its_line(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    for name, module in import_.sources().items():
        assert f"{name} {' '.join(module.HELP.split())}" in text
    assert {"openai", "sharegpt"} <= import_.sources().keys()
    assert "draft" not in import_.sources()


def test_the_group_lists_the_command() -> None:
    assert "make specs from somebody else's tasks" in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize("name", ["tau-2", "draft", "chatlog", "opnai", "..", ""])
def test_a_source_that_there_is_not_is_an_error(run: Run, name: str) -> None:
    fails(run(name, "log.jsonl"), f"there is no source `{name}`")


@pytest.mark.parametrize("name", ["cm2-json", "cm2_json"])
def test_a_source_is_found_with_a_dash_and_with_an_underscore(run: Run, name: str) -> None:
    fails(run(name, "nothing.json"), "cannot read `nothing.json`")


def test_a_name_is_the_domain(run: Run) -> None:
    assert run("openai", "log.jsonl", "--name", "desk", "-o", "out").exit_code == 0
    assert "domain desk" in Path("out/desk.cm2").read_text()


def test_a_name_that_is_none_is_an_error_with_one_that_is(run: Run) -> None:
    fails(run("openai", "log.jsonl", "--name", "my desk"), "`my desk`", "--name my_desk")


def test_a_file_that_is_missing_is_an_error(run: Run) -> None:
    fails(run("openai", "nothing.jsonl"), "cannot read `nothing.jsonl`: no such file")


def test_a_folder_where_a_file_is_wanted_is_an_error(run: Run) -> None:
    Path("folder").mkdir()
    fails(run("openai", "folder"), "cannot read `folder`: is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_an_error(run: Run) -> None:
    Path("log.jsonl").chmod(0)
    fails(run("openai", "log.jsonl"), "permission denied", "make it readable")


def test_a_tools_file_that_is_missing_is_named(run: Run) -> None:
    fails(run("openai", "log.jsonl", "--tools", "t.json"), "cannot read `t.json`")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "log.jsonl: error: the file holds no dialogue"),
        (b"{\n", "log.jsonl:1: error: not JSON"),
        (b'{"messages": ' + b"[" * 9000 + b"]" * 9000 + b"}", "nested too deeply"),
        (b'{"messages": [{"role": "user", "content": "\xff"}]}', "log.jsonl:1: error: not UTF-8"),
        (b'{"messages": [{"role": "user", "content": "' + b"x" * 50_000_000 + b'"}]}', "at once"),
    ],
)
def test_a_source_fault_is_printed_as_it_is(run: Run, content: bytes, words: str) -> None:
    Path("log.jsonl").write_bytes(content)
    fails(run("openai", "log.jsonl"), words)
    assert not Path("specs").exists()


def test_nothing_is_written_over(run: Run) -> None:
    Path("specs").mkdir()
    Path("specs/log.recordings.jsonl").write_text("mine")
    fails(run("openai", "log.jsonl"), "`specs/log.recordings.jsonl` is there already")
    assert names("specs") == ["log.recordings.jsonl"]
    assert Path("specs/log.recordings.jsonl").read_text() == "mine"


@pytest.mark.parametrize("out", ["log.jsonl", "log.jsonl/specs"])
def test_a_file_where_the_folder_should_be_is_an_error(run: Run, out: str) -> None:
    fails(run("openai", "log.jsonl", "-o", out), "cannot write", "-o")


def test_a_spec_that_does_not_compile_is_the_importers_fault(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Turn("go", "Go", (Item("calls", check="called nothing_there"),))
    spec = Spec("wrong", tasks=[Task("go", turns=(wrong,))])
    monkeypatch.setattr(openai, "read", lambda path, options: [spec])
    fails(run("openai", "log.jsonl"), "does not compile", "fault of the importer `openai`")
    assert not Path("specs").exists()


def test_a_value_that_is_too_deep_to_write_is_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop: dict[str, object] = {}
    for _ in range(100_000):
        loop = {"a": loop}
    spec = Spec("deep", tools=[loop], tasks=[Task("go", turns=(Turn("go", "Go"),))])
    monkeypatch.setattr(openai, "read", lambda path, options: [spec])
    fails(run("openai", "log.jsonl"), "nested too deeply to write")
