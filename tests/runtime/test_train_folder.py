"""Facts about run folders: what may be reused, and what a crash leaves behind."""

from __future__ import annotations

import json

import pytest

from cm2.train.folder import METRICS, SUMMARY, RunError, RunFolder


def test_a_new_folder_holds_its_config(tmp_path):
    folder = RunFolder(tmp_path / "a" / "run", {"seed": 1})
    assert not folder.resumed
    assert json.loads((tmp_path / "a" / "run" / "config.json").read_text("utf-8")) == {"seed": 1}


def test_an_unfinished_run_of_the_same_config_is_resumed(tmp_path):
    RunFolder(tmp_path / "run", {"limits": (1, 2)})
    assert RunFolder(tmp_path / "run", {"limits": (1, 2)}).resumed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: RunFolder(path, {"seed": 2}), "unfinished run with other options"),
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


def test_a_folder_that_failed_to_write_leaves_the_old_one(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    folder.write_folder("model", lambda path: (path.mkdir(), (path / "weights").write_text("old")))

    def fails(path):
        path.mkdir()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        folder.write_folder("model", fails)
    assert (folder.path / "model" / "weights").read_text() == "old"


def test_log_lines_after_the_checkpoint_and_a_line_cut_short_are_taken_back(tmp_path):
    folder = RunFolder(tmp_path / "run", {})
    folder.append(METRICS, [{"step": step, "said": "a\u2028b\x85c"} for step in range(4)])
    folder.append(METRICS, [{"step": 2, "phase": "after"}])
    with (folder.path / METRICS).open("a") as file:
        file.write('{"step": 1, "rew')
    folder.drop_after(2)
    with (folder.path / METRICS).open("rb") as file:
        assert [json.loads(line)["step"] for line in file] == [0, 1, 2]
