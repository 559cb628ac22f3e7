"""What `cm2 score` says where something is wrong that it can do nothing about."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from score_runs import (
    PIECES,
    command,
    dialogue,
    names,
    records,
    score,
    score_here,
    write_dialogues,
    write_spec,
)

ROOM = "  = help: make room, and give the same command again\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(tmp_path)


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    return write_dialogues(tmp_path / "chat.jsonl", 300)


def refused(*arguments: object) -> list[str]:
    """What is said by a run that ends with 2, and prints nothing else."""
    run = score_here(*arguments)
    assert run.exit_code == 2, run.output
    assert isinstance(run.exception, SystemExit)
    assert run.stdout == ""
    return run.stderr.splitlines()


def test_a_folder_that_is_missing_is_named(spec: Path, chat: Path, tmp_path: Path) -> None:
    assert refused(spec, chat, "-o", tmp_path / "no" / "rows.jsonl") == [
        f"error: there is no folder `{tmp_path / 'no'}`",
        "  = help: make it, and write `rows.jsonl` there",
    ]


def test_a_device_is_no_file_to_write(spec: Path, chat: Path) -> None:
    said = refused(spec, chat, "-o", "/dev/full")
    assert said == ["error: `/dev/full` is there and is no file", "  = help: name another file"]


def test_two_files_to_write_are_two(spec: Path, chat: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    for other in (rows, tmp_path / "rows.rejects.jsonl"):
        said = refused(spec, chat, "-o", rows, "--agree", "--disagreements", other)
        assert said[0] == "error: -o and --disagreements would write the same file"


def test_dialogues_are_not_overwritten(spec: Path, chat: Path) -> None:
    assert refused(spec, chat, "-o", chat)[0] == f"error: `{chat}` is a file of dialogues"


def test_a_pipe_cannot_be_taken_up_again(spec: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refused(spec, pipe) == [
        f"error: `{pipe}` is a pipe or a device",
        "  = help: write the dialogues to a file, and name that",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="who may read everything meets no such file")
def test_a_file_that_may_not_be_read_is_named(spec: Path, chat: Path) -> None:
    chat.chmod(0)
    assert str(chat) in refused(spec, chat)[-1]


@pytest.mark.parametrize("form", ["tau2", "tau1", "bfcl", "sharegpt"])
def test_the_wrong_format_is_one_to_think_of(
    form: str, spec: Path, chat: Path, tmp_path: Path
) -> None:
    before = names(tmp_path)
    *_, last, help = refused(spec, chat, "--format", form, "-o", tmp_path / "rows.jsonl")
    assert last.startswith("error: nothing was scored: ")
    assert help == f"  = help: the input was read in the format `{form}`; --format names another"
    assert names(tmp_path) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("option", [["--json"], []])
def test_a_full_disk_behind_standard_output_is_said(
    option: list[str], spec: Path, chat: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            command(spec, chat, *option),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 2
    said = "error: cannot read or write standard output: no space left on device\n" + ROOM
    assert run.stderr == said


def test_a_reader_that_goes_away_is_no_fault_to_speak_of(spec: Path, chat: Path) -> None:
    run = command(spec, *[chat] * 20, "--json")
    pipe = subprocess.PIPE
    with subprocess.Popen(run, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(timeout=30)
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit to set")
@pytest.mark.parametrize("jobs", [1, 2])
def test_rows_that_find_no_room_are_gone_on_with(
    jobs: int, spec: Path, chat: Path, tmp_path: Path
) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    out = tmp_path / "rows.jsonl"
    run = (spec, chat, "-o", out, "--jobs", jobs)
    full = score(*run, before=PIECES, preexec_fn=little_room)
    assert full.returncode == 2
    assert full.stderr == f"error: cannot read or write `{out}`: file too large\n" + ROOM
    assert not out.exists()
    again = score(*run, before=PIECES)
    assert again.returncode == 0, again.stderr
    assert "going on after " in again.stderr
    assert [row["id"] for row in records(out)] == [f"d{number}" for number in range(300)]


def test_the_first_rejects_are_printed_and_the_others_counted(spec: Path, tmp_path: Path) -> None:
    chat = write_dialogues(tmp_path / "chat.jsonl", 60, spoil=2)
    run = score_here(spec, chat)
    assert run.exit_code == 1
    assert run.stderr.count(": rejected: ") == 3
    assert run.stderr.endswith(
        "and 27 more for the same reason\n30 of 60 dialogues were rejected\n"
    )


def test_of_many_reasons_the_first_are_printed(spec: Path, tmp_path: Path) -> None:
    chat = tmp_path / "chat.jsonl"
    tasks = ["t", *(f"other_{'x' * number}" for number in range(30))]
    chat.write_text("".join(json.dumps(dialogue(1, task=task)) + "\n" for task in tasks))
    run = score_here(spec, chat)
    assert run.stderr.count(": rejected: ") == 20
    assert run.stderr.endswith("and 10 more\n30 of 31 dialogues were rejected\n")
