"""Several processes: the same bytes as one, and what becomes of the run when one of them dies."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from score_runs import (
    PIECES,
    alive,
    children,
    names,
    score,
    started,
    until,
    wait_for_pieces,
    write_dialogues,
    write_spec,
)

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="/proc lists the processes")


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    spec, one, two = write_spec(tmp_path), tmp_path / "one", tmp_path / "two"
    chat = write_dialogues(tmp_path / "chat.jsonl", 300, spoil=70)
    said = []
    for folder, jobs in ((one, 1), (two, 2)):
        folder.mkdir()
        files = ("-o", "rows.jsonl", "--agree", "--disagreements", "differ.jsonl", "--evidence")
        run = score(spec, chat, *files, "--jobs", jobs, before=PIECES, cwd=folder)
        assert run.returncode == 1, run.stderr
        said.append((run.stdout, run.stderr))
    assert said[0] == said[1]
    assert names(one) == names(two) == ["differ.jsonl", "rows.jsonl", "rows.rejects.jsonl"]
    for name in names(one):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_rows_that_are_printed_are_the_same(tmp_path: Path) -> None:
    spec, chat = write_spec(tmp_path), write_dialogues(tmp_path / "chat.jsonl", 200)
    one, two = (score(spec, chat, "--json", "--jobs", n, before=PIECES) for n in (1, 2))
    assert one.stdout == two.stdout
    assert one.stderr == two.stderr
    assert len(one.stdout.splitlines()) == 200


@needs_proc
def test_a_process_that_dies_ends_the_run_which_can_go_on(tmp_path: Path) -> None:
    spec, chat = write_spec(tmp_path), write_dialogues(tmp_path / "chat.jsonl", 6000)
    whole, out = tmp_path / "whole.jsonl", tmp_path / "rows.jsonl"
    assert score(spec, chat, "-o", whole).returncode == 0
    with started(spec, chat, "-o", out, "--jobs", 2) as process:
        wait_for_pieces(out, process)
        os.kill(children(process)[0], signal.SIGKILL)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 2, said
    assert "error: a process that scored died" in said
    assert "give the same command again to go on" in said
    assert "Traceback" not in said
    assert not out.exists()
    again = score(spec, chat, "-o", out, "--jobs", 2, before=PIECES)
    assert again.returncode == 0, again.stderr
    assert "going on after " in again.stderr
    assert out.read_bytes() == whole.read_bytes()


@needs_proc
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    spec, chat = write_spec(tmp_path), write_dialogues(tmp_path / "chat.jsonl", 6000)
    out = tmp_path / "rows.jsonl"
    with started(spec, chat, "-o", out, "--jobs", 2) as process:
        wait_for_pieces(out, process)
        workers = children(process)
        assert len(workers) == 2
        process.kill()
        process.wait(timeout=30)
        until(lambda: not any(map(alive, workers)))
