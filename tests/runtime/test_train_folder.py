"""Facts about run folders: what may be reused, and what a crash leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cm2.train.checkpoint import TRAINED, Checkpoints, numbered
from cm2.train.folder import COLD, METRICS, ROLLOUTS, SUMMARY, RunError, RunFolder, disk_full


def test_a_new_folder_holds_its_config(tmp_path):
    folder = RunFolder(tmp_path / "a" / "run", {"seed": 1})
    assert not folder.resumed
    assert json.loads((tmp_path / "a" / "run" / "config.json").read_text("utf-8")) == {"seed": 1}


def test_an_unfinished_run_of_the_same_config_is_resumed(tmp_path):
    RunFolder(tmp_path / "run", {"limits": (1, 2)})
    assert RunFolder(tmp_path / "run", {"limits": (1, 2)}).resumed


def test_a_run_that_played_nothing_gives_its_folder_to_one_that_is_told_otherwise(tmp_path):
    first = RunFolder(tmp_path / "run", {"seed": 1})
    first.write_folder(COLD, Path.mkdir)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    first.close()
    folder = RunFolder(tmp_path / "run", {"seed": 2})
    assert not folder.resumed
    assert folder.read_json("config.json") == {"seed": 2}
    assert sorted(one.name for one in folder.path.iterdir()) == [
        ".lock",
        "config.json",
        "notes.txt",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: RunFolder(path, {"seed": 2}).append(ROLLOUTS, [{}]),
            "unfinished run with other options",
        ),
        (
            lambda path: RunFolder(path, {"seed": 1}).write_json(SUMMARY, {}),
            "holds a finished run",
        ),
        (lambda path: (path.mkdir(), (path / "thesis.txt").touch()), "is no run folder"),
        (lambda path: path.touch(), "is no run folder"),
    ],
)
def test_anything_else_in_the_way_is_an_error_and_stays(tmp_path, make, message):
    path = tmp_path / "run"
    make(path)
    with pytest.raises(RunError, match=message):
        RunFolder(path, {"seed": 1})
    assert path.exists()


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be a run folder: not a directory; choose another"):
        RunFolder(tmp_path / "file" / "run", {})


def test_a_folder_that_failed_to_write_leaves_the_old_one(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    folder.write_folder("model", lambda path: (path.mkdir(), (path / "weights").write_text("old")))

    def fails(path):
        path.mkdir()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        folder.write_folder("model", fails)
    assert (folder.path / "model" / "weights").read_text() == "old"


def test_log_lines_after_the_mark_and_a_line_cut_short_are_taken_back(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    marks = Checkpoints(folder)
    folder.append(METRICS, [{"step": step, "said": "a\u2028b\x85c"} for step in range(3)])
    marks.seal(numbered(2), 2)
    folder.append(METRICS, [{"step": 3}])
    folder.append("later.jsonl", [{"step": 3}])
    with (folder.path / METRICS).open("a") as file:
        file.write('{"step": 4, "rew')
    marks.go_back(marks.newest())
    with (folder.path / METRICS).open("rb") as file:
        assert [json.loads(line)["step"] for line in file] == [0, 1, 2]
    assert not (folder.path / "later.jsonl").exists()


def test_without_a_mark_everything_happens_again(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    folder.append(METRICS, [{"step": 1}])
    marks = Checkpoints(folder)
    assert marks.newest() is None
    marks.go_back(None)
    assert folder.lines(METRICS) == []


def test_a_checkpoint_counts_when_its_mark_is_there_and_what_lies_about_is_cleared(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    marks = Checkpoints(folder)
    marks.seal(numbered(2), 2, lambda path: (path / "weights").write_text("whole"))
    half = marks.path / numbered(4)
    half.mkdir()
    (half / "weights").write_text("ha")
    (half / "trainer_state.json").write_text("{}")
    mark = marks.newest()
    assert (mark.step, mark.weights) == (2, str(marks.path / "checkpoint-2"))
    marks.go_back(mark)
    assert [path.name for path in marks.path.iterdir()] == ["checkpoint-2"]
    marks.seal(numbered(4), 4)
    assert [path.name for path in marks.path.iterdir()] == ["checkpoint-4"]
    marks.seal(TRAINED, 4)
    assert (marks.newest().trained, marks.newest().weights) == (True, None)


def test_parts_that_remember_something_get_it_back(tmp_path):
    class Counter:
        value = 0

        def state(self):
            return {"value": self.value}

        def restore(self, state):
            self.value = state["value"]

    folder = RunFolder(tmp_path / "run", {})
    marks, counter = Checkpoints(folder), Counter()
    marks.parts["counter"] = counter
    counter.value = 7
    marks.seal(numbered(1), 1)
    counter.value = 9
    marks.restore(marks.newest())
    assert counter.value == 7


def test_a_log_that_lost_what_the_mark_counted_is_an_error(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    marks = Checkpoints(folder)
    folder.append(METRICS, [{"step": 1}])
    marks.seal(numbered(1), 1)
    (folder.path / METRICS).write_text("")
    with pytest.raises(RunError, match="had 12 at the last checkpoint"):
        marks.go_back(marks.newest())


HOLD = """
import sys, time
from pathlib import Path
from cm2.train.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), {"seed": 1})
print("held", flush=True)
time.sleep(60)
"""


def test_two_runs_cannot_have_one_folder_and_the_lock_of_a_dead_one_is_none(tmp_path):
    out = tmp_path / "run"
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"another run is at .*process {other.pid}"):
            RunFolder(out, {"seed": 1})
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert RunFolder(out, {"seed": 1}).resumed


def test_a_full_disk_is_told_with_what_to_do(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("the platform has no device that is always full")
    folder = RunFolder(tmp_path / "run", {})
    (folder.path / METRICS).symlink_to("/dev/full")
    with pytest.raises(RunError, match=r"no room on the disk .* make some"), disk_full(folder.path):
        folder.append(METRICS, [{"step": 1}])


def test_an_error_that_is_not_the_disks_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="another"), disk_full(tmp_path):
        raise RuntimeError("another")


def test_a_run_of_another_config_says_in_what_it_differs(tmp_path):
    first = RunFolder(tmp_path / "run", {"steps": 3, "credit": {"level": None, "scale": "std"}})
    first.append(ROLLOUTS, [{}])
    first.close()
    with pytest.raises(
        RunError, match=r"\(`steps` was 3, `credit.level` was null\); give the same"
    ):
        RunFolder(tmp_path / "run", {"steps": 4, "credit": {"level": "turn", "scale": "std"}})
