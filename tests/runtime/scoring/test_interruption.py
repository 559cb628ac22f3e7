"""A run that is stopped goes on where it was; nothing is named before it is whole."""

from __future__ import annotations

import gzip
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from score_runs import (
    PIECES,
    SPEC,
    names,
    records,
    score,
    score_here,
    started,
    wait_for_pieces,
    write_dialogues,
    write_spec,
)

from cm2.formats.record import Reject
from cm2.scoring.output import Output, run_key
from cm2.scoring.tally import Tally

COUNT = 3000
LEFT = ["rows.jsonl.partial", "rows.jsonl.partial.json", "rows.rejects.jsonl.partial"]


class Files:
    """A spec and dialogues, and where the rows of a run go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = write_spec(folder)
        self.chat = write_dialogues(folder / "chat.jsonl", COUNT, spoil=500)
        (folder / "out").mkdir()
        self.out = folder / "out" / "rows.jsonl"
        self.arguments = (self.spec, self.chat, "-o", self.out)

    def stop(self, by: signal.Signals, *options: object) -> str:
        """Start a run, stop it in the middle; what it said."""
        with started(*self.arguments, *options) as process:
            wait_for_pieces(self.out, process)
            assert not self.out.exists()
            process.send_signal(by)
            _, said = process.communicate(timeout=30)
        self.ended = process.returncode
        return said

    def saved(self) -> int:
        """The dialogues that the next run need not score."""
        state = json.loads((self.folder / "out" / "rows.jsonl.partial.json").read_text())
        return int(state["tally"]["dialogues"])

    def goes_on(self, *options: object) -> None:
        """The same command ends, and its files are those of a run that was not stopped."""
        again = score(*self.arguments, *options, before=PIECES)
        assert again.returncode == 1, again.stderr
        assert "going on after " in again.stderr
        (self.folder / "whole").mkdir()
        whole = score_here(self.spec, self.chat, "-o", self.folder / "whole" / "rows.jsonl")
        assert again.stdout.replace("/out/", "/whole/") == whole.stdout
        assert names(self.out.parent) == ["rows.jsonl", "rows.rejects.jsonl"]
        for name in names(self.out.parent):
            assert (self.out.parent / name).read_bytes() == (
                self.folder / "whole" / name
            ).read_bytes()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_goes_on_by_the_same_command(
    files: Files, jobs: int, by: signal.Signals
) -> None:
    said = files.stop(by, "--jobs", jobs)
    assert files.ended == 128 + by, said
    saved, _, help = said.removeprefix("interrupted: ").partition(" dialogues saved; ")
    assert help == "give the same command again to go on\n"
    assert int(saved) == files.saved()
    assert names(files.out.parent) == LEFT
    files.goes_on("--jobs", jobs)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("pieces", [1, 20])
def test_several_presses_interrupt_once_also_the_processes(
    files: Files, jobs: int, pieces: int
) -> None:
    run = (*files.arguments, "--jobs", jobs)
    with started(*run, start_new_session=True) as process:
        wait_for_pieces(files.out, process, pieces)
        for _ in range(3):
            with suppress(ProcessLookupError):  # it may have ended, and its processes
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert said.startswith("interrupted: ")
    assert said.count("\n") == 1


WHILE_IT_LOADS = """
import os, signal
import cm2.bundle, cm2.commands.spec
def opened(*given):
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)
cm2.commands.spec.open_spec = opened
"""
WHILE_IT_IS_IMPORTED = """
import sys
class Stops:
    def find_spec(self, name, path=None, target=None):
        if name == "{name}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stops())
"""


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (WHILE_IT_LOADS, "interrupted\n"),
        (WHILE_IT_IS_IMPORTED.format(name="cm2.commands.score"), "interrupted\n"),
        (WHILE_IT_IS_IMPORTED.format(name="click"), ""),
    ],
)
def test_an_early_interrupt_is_said_in_a_word_at_most(
    files: Files, before: str, words: str
) -> None:
    run = score(*files.arguments, before=before)
    assert (run.returncode, run.stderr, run.stdout) == (130, words, "")


def test_who_calls_the_command_can_still_be_interrupted(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cm2.scoring.run.pieces", stopped)
    before = signal.getsignal(signal.SIGINT)
    assert score_here(*files.arguments).exit_code == 130
    assert signal.getsignal(signal.SIGINT) == before


def test_nothing_is_left_of_what_was_interrupted_at_once(files: Files) -> None:
    at_once = "from cm2.scoring import run\ndef stopped(*_): raise KeyboardInterrupt"
    run = score(*files.arguments, before=f"{at_once}\nrun.pieces = stopped")
    assert (run.returncode, run.stderr) == (130, "interrupted\n")
    assert names(files.out.parent) == []


def test_a_killed_run_goes_on_also_with_another_number_of_processes(files: Files) -> None:
    files.stop(signal.SIGKILL)
    assert set(LEFT) <= set(names(files.out.parent))
    files.goes_on("--jobs", 2)


def test_a_run_may_be_interrupted_twice(files: Files) -> None:
    files.stop(signal.SIGINT)
    first = state(files)
    with started(*files.arguments) as process:
        wait_for_pieces(files.out, process, count=first + 20)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert state(files) > first
    files.goes_on()


def state(files: Files) -> int:
    path = files.out.with_name(files.out.name + ".partial.json")
    return int(json.loads(path.read_text())["done"])


def test_rows_that_are_printed_while_they_are_written_are_all_printed(files: Files) -> None:
    files.stop(signal.SIGKILL)
    again = score(*files.arguments, "--json", before=PIECES)
    assert "going on after " in again.stderr
    assert again.stdout.encode() == files.out.read_bytes()


def test_a_run_does_not_go_on_with_what_another_left(files: Files) -> None:
    files.stop(signal.SIGINT)
    left = {name: (files.out.parent / name).read_bytes() for name in LEFT}

    def is_refused(other: str, *options: str) -> None:
        refused = score(*files.arguments, *options, before=PIECES)
        assert refused.returncode == 2
        assert refused.stderr.splitlines() == [
            f"error: `{files.out}.partial` is of a run with {other}",
            "  = help: finish that run with its own command, or begin anew with --restart",
        ]
        assert {name: (files.out.parent / name).read_bytes() for name in LEFT} == left

    is_refused("other options", "--evidence")
    files.spec.write_text(SPEC.replace("weight 3", "weight 2"))
    is_refused("another spec")
    write_dialogues(files.chat, 50)
    is_refused("another spec and other dialogues")
    anew = score(*files.arguments, "--restart", before=PIECES)
    assert anew.returncode == 0, anew.stderr
    assert "going on" not in anew.stderr
    assert len(records(files.out)) == 50


def test_what_was_damaged_since_is_not_gone_on_with(files: Files) -> None:
    files.stop(signal.SIGINT)
    partial = files.out.with_name("rows.jsonl.partial")
    partial.write_bytes(partial.read_bytes()[:10])
    refused = score(*files.arguments)
    assert refused.returncode == 2
    assert "cannot be gone on with\n  = help: begin anew with --restart" in refused.stderr


def test_the_rows_of_an_earlier_run_stay_until_those_of_a_new_one_are_whole(files: Files) -> None:
    files.out.write_text("earlier\n")
    with started(*files.arguments) as process:
        wait_for_pieces(files.out, process)
    assert files.out.read_text() == "earlier\n"
    assert score(*files.arguments, "--restart").returncode == 1
    assert len(records(files.out)) == COUNT - COUNT // 500


def test_rejects_say_where_why_and_what_to_do_and_go_with_the_run(files: Files) -> None:
    assert score_here(*files.arguments).exit_code == 1
    first, *rest = records(files.out.with_name("rows.rejects.jsonl"))
    assert len(rest) == COUNT // 500 - 1
    assert first.pop("reason").startswith("not JSON at column 2: ")
    assert first == {
        "file": str(files.chat),
        "line": 1,
        "path": "",
        "help": "write one JSON value",
    }
    write_dialogues(files.chat, 10)
    assert score_here(*files.arguments).exit_code == 0
    assert names(files.out.parent) == ["rows.jsonl"]


def test_a_packed_file_is_taken_up_again_too(files: Files) -> None:
    packed = files.folder / "chat.jsonl.gz"
    packed.write_bytes(gzip.compress(files.chat.read_bytes()))
    run = (files.spec, packed, "-o", files.out)
    with started(*run) as process:
        wait_for_pieces(files.out, process)
        process.kill()
        process.wait(timeout=30)
    assert score(*run, before=PIECES).returncode == 1
    whole = files.folder / "whole.jsonl"
    score_here(files.spec, files.chat, "-o", whole)
    assert files.out.read_bytes() == whole.read_bytes()


def test_a_file_that_changes_while_it_is_read_is_not_scored(files: Files) -> None:
    with started(*files.arguments) as process:
        wait_for_pieces(files.out, process)
        with files.chat.open("a") as chat:
            chat.write("\n")
        _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "a file of dialogues was changed while it was read" in said
    assert names(files.out.parent) == []


def test_an_interrupt_in_the_middle_of_a_piece_leaves_none_of_it(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Reject]:
        yield Reject("f", 1, "", "why", "what")
        raise KeyboardInterrupt

    key = run_key("", [], None)
    output = Output(tmp_path / "rows.jsonl", key)
    output.write(b"one\n", [], [], Tally(dialogues=1))
    output.write(b"two\n", [], [], Tally(dialogues=1))
    output._save()
    with pytest.raises(KeyboardInterrupt):
        output.write(b"three\n", interrupted(), [], Tally(dialogues=1))
    output.pause()
    again = Output(tmp_path / "rows.jsonl", key)
    assert (again.done, again.tally.dialogues) == (2, 2)
    again.write(b"three\n", [], [], Tally(dialogues=1))
    again.finish()
    assert names(tmp_path) == ["rows.jsonl"]
    assert (tmp_path / "rows.jsonl").read_text() == "one\ntwo\nthree\n"
