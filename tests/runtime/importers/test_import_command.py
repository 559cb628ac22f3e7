"""`cm2 import`: what is printed, what is written, and every way in which it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from workshop import action, run_of, written
from workshop import task as workshop_task

from cm2.cli import main
from cm2.commands import import_
from cm2.importers import openai
from cm2dsl.draft import write
from cm2dsl.draft.spec import Item, Spec, Task, Turn

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


# --- another source than IN is of -------------------------------------------------------------

TAU1 = [{"task_id": 1, "traj": [], "reward": 1.0, "info": {}}]
BFCL = {"id": "b", "question": [], "involved_classes": []}


@pytest.mark.parametrize(
    ("source", "content", "help"),
    [
        ("tau2", json.dumps(CHAT), "`cm2 import openai log.json`"),
        ("tau1", f"{json.dumps(CHAT)}\n{json.dumps(CHAT)}", "`cm2 import openai log.json`"),
        ("sharegpt", json.dumps(CHAT), "`cm2 import openai log.json`"),
        ("openai", json.dumps({"conversations": []}), "`cm2 import sharegpt log.json`"),
        ("tau2", json.dumps(TAU1), "results of τ-bench: `cm2 import tau1 log.json`"),
        ("tau1", '{"tasks": [], "simulations": []}', "a τ²-bench run: `cm2 import tau2 log.json`"),
        ("tooltalk", f"{json.dumps(BFCL)}\n" * 2, "questions of BFCL: `cm2 import bfcl log.json`"),
        ("bfcl", '{"conversation": []}', "`cm2 import tooltalk log.json`"),
        ("tau2", '{"a": 1}\n{"a": 2}\n', "reads one JSON value, and the file has one a line"),
        ("tau2", '{"a": 1}', "the object has `a`"),
        ("tau2", "", "write one JSON value"),
    ],
)
def test_a_file_of_another_source_is_told_by_its_shape(
    run: Run, source: str, content: str, help: str
) -> None:
    Path("log.json").write_text(content)
    fails(run(source, "log.json"), help)


def test_a_folder_of_another_source_is_told_by_what_is_in_it(run: Run) -> None:
    for name in ("bfcl", "desk", "talk/deep", "chats"):
        Path(name).mkdir(parents=True)
    Path("bfcl/BFCL_v4_multi_turn_base.json").write_text(json.dumps(BFCL))
    Path("desk/tasks.json").write_text("[]")
    Path("talk/deep/one.json").write_text('{"conversation": []}')
    Path("chats/log.jsonl").write_text(json.dumps(CHAT))
    fails(run("tau2", "bfcl"), "no domain folder of τ²-bench", "`cm2 import bfcl bfcl`")
    fails(run("bfcl", "desk"), "`cm2 import tau2 desk`")
    fails(run("openai", "talk"), "is a directory", "`cm2 import tooltalk talk`")
    fails(run("tau2", "chats"), "`cm2 import openai chats/log.jsonl`")
    fails(run("openai", "chats"), "give the path of a file in it")


def test_a_fault_of_the_right_source_or_of_another_file_keeps_its_help(run: Run) -> None:
    Path("log.json").write_text('[{"id": "a", "user_scenario": {}}]')
    Path("tools.json").write_text(json.dumps([CHAT]))
    fails(run("tau2", "log.json", "--tools", "tools.json"), "tools.json", "the object has")


# --- names of files ---------------------------------------------------------------------------

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def in_a_process(folder: Path, *arguments: str | bytes, **locale: str) -> tuple[int, bytes]:
    done = subprocess.run(
        [sys.executable, "-c", "from cm2.cli import main; main()", "import", *arguments],
        cwd=folder,
        env={**os.environ, **locale},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    return done.returncode, done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
@pytest.mark.parametrize(
    ("name", "locale", "domain", "shown"),
    [
        (b"bad\xff.jsonl", {}, b"bad", "bad\ufffd.jsonl"),
        ("füß.jsonl".encode(), {"PYTHONUTF8": "1"}, "füß".encode(), "füß.jsonl"),
        ("füß.jsonl".encode(), ASCII, b"f", "füß.jsonl"),
    ],
)
def test_any_name_of_a_file_is_read_and_shown_in_any_locale(
    tmp_path: Path, name: bytes, locale: dict[str, str], domain: bytes, shown: str
) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text(json.dumps(CHAT))
    out = b"out" + name
    code, printed = in_a_process(tmp_path, b"openai", name, b"-o", out, **locale)
    assert code == 0, printed
    assert printed.startswith(out + b"/" + domain + b".cm2: 1 task, 1 item\n")
    (spec,) = tmp_path.glob("out*/*.cm2")
    assert f"in {shown}, as a checklist" in spec.read_text(encoding="utf-8")
    code, printed = in_a_process(tmp_path, b"openai", name, b"-o", out, **locale)
    assert (code, b"is there already" in printed, b"Traceback" in printed) == (2, True, False)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux")
def test_a_name_that_the_locale_has_no_letters_for_is_an_error(tmp_path: Path) -> None:
    run = run_of([workshop_task(actions=[action("cancel_job", job="J1")])])
    run["info"]["environment_info"]["domain_name"] = "車"
    folder = written(tmp_path)
    (folder / "run.json").write_text(json.dumps(run))
    code, printed = in_a_process(folder, "tau2", "run.json", "-o", "out", **ASCII)
    assert code == 2, printed
    assert b"this locale has no file names with" in printed
    assert b"--name" in printed
    assert not (folder / "out").exists()


# --- what is there already, and what is not written -------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_import_that_is_interrupted_leaves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    moved: list[Path] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        moved.append(target)
        if len(moved) > at:
            raise KeyboardInterrupt

    monkeypatch.setattr(write.shutil, "move", move)
    result = run("openai", "log.jsonl", "-o", "out")
    assert result.exit_code != 0
    assert len(moved) == at + 1
    assert names("out") == ["mine.txt"]


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
