"""Facts about `cm2 rollout`: what it plays, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from judge_models import byte_level, save
from judge_server import Response, Server, saying
from judged import verdict
from policy_server import PolicyServer
from rollout_doubles import desk, tiny_tokenizer
from transformers import AutoModelForCausalLM

from cm2.cli import main
from cm2.rollout.output import RolloutFile
from cm2.scoring.places import OutputFault
from cm2.train.config import Tiny
from cm2.train.tiny import build_model

SHORT = ["--limits", "steps=2,step_tokens=24"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec (`desk.cm2`) and a random policy (`model`)."""
    folder = tmp_path_factory.mktemp("rollout")
    desk(folder, rows=["AB12", "CD34", "EF56"])
    tokenizer = tiny_tokenizer()
    model = build_model(tokenizer, Tiny(), positions=400, seed=1)
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder


def rollout(place: Path, *options: Any, spec: str = "desk.cm2", model: str = "model") -> Result:
    given = ["rollout", str(place / spec), "--model", str(place / model), *map(str, options)]
    return CliRunner().invoke(main, [*given, "--allow-python"])


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]


def test_every_row_is_played_so_many_times_and_its_line_is_read_by_score(
    place: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    said = rollout(place, "-n", 2, "-o", out, *SHORT)
    assert said.exit_code == 0, said.output
    tasks = [row["task"] for row in rows(out)]
    assert tasks == [f"serve/r{i}" for i in range(3) for _ in range(2)]
    assert [row["id"] for row in rows(out)] == [f"0-{i}-{j}" for i in range(3) for j in range(2)]
    assert "serve" in said.stdout
    assert "tokens/s" in said.stdout
    scored = CliRunner().invoke(main, ["score", str(place / "desk.cm2"), str(out), "--json"])
    assert scored.exit_code == 0
    again = [json.loads(line)["reward"] for line in scored.stdout.splitlines() if line[:1] == "{"]
    assert again == [row["reward"] for row in rows(out)]


def test_the_file_is_the_same_twice_and_however_many_are_played_at_once(
    place: Path, tmp_path: Path
) -> None:
    for name, concurrent in (("a", 1), ("b", 8), ("c", 8)):
        said = rollout(
            place, "-n", 3, "-o", tmp_path / name, "--concurrent", concurrent, "--tokens", *SHORT
        )
        assert said.exit_code == 0, said.output
    texts, logprobs = zip(*(without_logprobs(tmp_path / name) for name in "abc"), strict=True)
    assert texts[0] == texts[1] == texts[2]
    # A matrix product of another shape adds in another order: the last digits are its own.
    for other in logprobs[1:]:
        assert other == pytest.approx(logprobs[0], abs=1e-4)
    assert len({row["messages"][2]["content"] for row in rows(tmp_path / "a")}) > 5


def without_logprobs(file: Path) -> tuple[str, list[float]]:
    """The rows of a file without their log-probabilities, and these."""
    found = rows(file)
    values = [value for row in found for value in row.pop("logprobs")]
    return "\n".join(map(json.dumps, found)), values


def test_a_rollout_does_not_depend_on_which_others_are_played(place: Path, tmp_path: Path) -> None:
    rollout(place, "-n", 2, "-o", tmp_path / "all", *SHORT)
    rollout(place, "-n", 1, "-o", tmp_path / "one", "--task", "serve/r1", *SHORT)
    (alone,) = rows(tmp_path / "one")
    assert alone == rows(tmp_path / "all")[2]


def test_another_seed_is_another_run_and_no_temperature_is_none(
    place: Path, tmp_path: Path
) -> None:
    said = [
        rollout(place, "-n", 2, "--task", "serve/r0", *SHORT, *more)
        for more in ([], ["--seed", 1], ["--temperature", 0])
    ]
    texts = [
        [row["messages"][2]["content"] for row in map(json.loads, one.stdout.splitlines())]
        for one in said
    ]
    assert texts[0] != texts[1]
    assert texts[2][0] == texts[2][1]


def test_without_a_file_the_lines_are_on_standard_output_and_the_rest_is_not(place: Path) -> None:
    said = rollout(place, *SHORT)
    assert [json.loads(line)["id"] for line in said.stdout.splitlines()] == [
        "0-0-0",
        "0-1-0",
        "0-2-0",
    ]
    assert "tokens/s" in said.stderr


def test_tokens_are_written_where_they_are_asked_for(place: Path, tmp_path: Path) -> None:
    rollout(place, "-o", tmp_path / "out", "--tokens", "--split", "heldout", *SHORT)
    (row,) = rows(tmp_path / "out")
    lengths = {len(row[name]) for name in ("completion_ids", "logprobs", "mask", "places")}
    assert lengths == {row["tokens"]["completion"]}
    assert len(row["prompt_ids"]) == row["tokens"]["prompt"]
    assert sum(row["mask"]) == row["tokens"]["sampled"]
    assert all(value < 0 for value, bit in zip(row["logprobs"], row["mask"], strict=True) if bit)


def test_a_run_goes_on_after_the_lines_that_are_there(place: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    rollout(place, "-n", 3, "-o", whole, *SHORT)
    rollout(place, "-n", 3, "-o", out, *SHORT)
    lines = out.read_bytes().split(b"\n")
    state = state_of(place, tmp_path)
    for kept, half in ((4, b'{"id": "0-1'), (9, b""), (0, b'{"id"')):
        out.unlink(missing_ok=True)
        text = b"".join(line + b"\n" for line in lines[:kept]) + half
        (tmp_path / "out.partial").write_bytes(text)
        (tmp_path / "out.partial.json").write_text(state)
        said = rollout(place, "-n", 3, "-o", out, *SHORT)
        assert said.exit_code == 0, said.output
        assert (f"going on after {kept} rollouts" in said.stderr) == (kept > 0)
        assert out.read_bytes() == whole.read_bytes()
        assert not list(tmp_path.glob("out.partial*"))


def state_of(place: Path, folder: Path) -> str:
    """What an interrupted run of `-n 3` leaves beside its lines."""
    process = start(place, folder / "state", "-n", "3")
    left = folder / "state.partial.json"
    while not left.exists():
        time.sleep(0.01)
    text = left.read_text()
    process.kill()
    process.wait()
    return text


def start(place: Path, out: Path, *options: str, limits: Sequence[str] = SHORT) -> Any:
    given = ["rollout", "desk.cm2", "--model", "model", "-o", str(out), "--allow-python"]
    return subprocess.Popen(
        [sys.executable, "-m", "cm2", *given, *options, *limits],
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_lines_of_another_run_are_not_gone_on_with(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "out.partial").write_text('{"id": "0-0-0"}\n')
    (tmp_path / "out.partial.json").write_text(state_of(place, tmp_path))
    said = rollout(place, "-n", 2, "-o", out, *SHORT)
    assert said.exit_code == 2
    assert "is of a run with another" in said.stderr
    assert "another set of options" in said.stderr
    assert "--restart" in said.stderr
    assert rollout(place, "-n", 2, "-o", out, "--restart", *SHORT).exit_code == 0
    assert len(rows(out)) == 6


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_keeps_what_is_complete_and_leaves_nothing_else(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: signal.Signals, code: int
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    out = tmp_path / "out"
    process = start(place, out, "-n", "600", "--concurrent", "2")
    partial = tmp_path / "out.partial"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (partial.exists() and partial.stat().st_size > 2_000):
        time.sleep(0.05)
    process.send_signal(by)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert not list((tmp_path / "temporary").glob("cm2*"))
    assert "Traceback" not in said
    kept = rows(partial)
    assert f"interrupted: {len(kept)} rollouts saved" in said
    assert [row["id"] for row in kept] == [f"0-0-{i}" for i in range(len(kept))]
    assert not out.exists()


def test_a_run_that_is_replayed_from_its_recordings_is_identical(
    place: Path, tmp_path: Path
) -> None:
    first, second, kept = tmp_path / "first", tmp_path / "second", tmp_path / "kept"
    assert rollout(place, "-n", 2, "-o", first, "--record", kept, *SHORT).exit_code == 0
    assert [row["id"] for row in rows(kept)] == [row["id"] for row in rows(first)]
    assert set(rows(kept)[0]) <= {"id", "task", "messages", "answers"}
    said = rollout(place, "-n", 2, "-o", second, "--replay", kept, *SHORT)
    assert said.exit_code == 0, said.output
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("options", "message", "help"),
    [
        (["--task", "serv"], "there is no task `serv` in the spec", "did you mean `serve`?"),
        (["--task", "serve/r9"], "task `serve` has no row `r9`", "there is `r0`"),
        (["--limits", "steps"], "--limits takes KEY=VALUE", "such as steps=8"),
        (["--limits", "step=3"], "there is no limit `step`", "did you mean `steps`?"),
        (["--limits", "turns=0"], "the limit `turns` is `0`", "a whole number from 1"),
        (["--limits", "malformed=stop"], "`malformed` is `stop`", "`go_on` or `end`"),
        (["--limits", "tokens=401"], "the model knows 400", "--limits tokens=400"),
        (["--limits", "tokens=2"], "the opening of `serve/r0` has", ""),
        (["-o", "nowhere/out"], "there is no folder `nowhere`", "make it"),
        (["--restart"], "--restart begins the file of -o anew", "add -o FILE"),
    ],
)
def test_mistakes_are_named_and_nothing_is_played(
    place: Path, options: list[str], message: str, help: str
) -> None:
    said = rollout(place, *options)
    assert said.exit_code == 2, said.output
    assert message in said.stderr
    assert help in said.stderr
    assert said.stdout == ""
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [("no", "there is no folder"), ("bundle", "has no config.json"), ("bare", "no chat template")],
)
def test_what_is_no_policy_is_said(place: Path, model: str, message: str) -> None:
    bare = place / "bare"
    if not bare.exists():
        import shutil

        shutil.copytree(place / "model", bare)
        (bare / "chat_template.jinja").unlink()
    said = rollout(place, model=model)
    assert said.exit_code == 2
    assert message in said.stderr
    assert "give the directory of a causal model" in said.stderr


def judging(place: Path, folder: Path, reply: Any) -> Result:
    """A run with a judge whose server gives this reply."""
    text = (place / "desk.cm2").read_text("utf-8")
    asked = text.replace("item looks_up strict", 'item polite { ask "Polite?" }\n    item looks_up')
    (place / "judged.cm2").write_text(asked, "utf-8")
    with Server(reply) as server:
        said = f'engine = "openai"\nmodel = "m"\nurls = ["{server.url}"]\ntries = 1\n'
        (folder / "judge.toml").write_text(said, "utf-8")
        judge = ["--judge", folder / "judge.toml"]
        return rollout(place, "-o", folder / "out", *judge, *SHORT, spec="judged.cm2")


def test_a_judge_decides_what_checks_leave_open(place: Path, tmp_path: Path) -> None:
    said = judging(place, tmp_path, lambda _: saying(verdict("fail")))
    assert said.exit_code == 0, said.output
    assert "judge: 3 calls" in said.stdout
    for row in rows(tmp_path / "out"):
        assert row["items"]["find.polite"]["by"] == "judge"


def test_a_judge_that_breaks_masks_and_where_nothing_is_left_the_exit_code_says_so(
    place: Path, tmp_path: Path
) -> None:
    said = judging(place, tmp_path, lambda _: Response(status=500))
    assert said.exit_code == 1
    assert "3 of 3 rollouts are masked:" in said.stdout
    assert "the judge broke" in said.stdout
    assert "none has a reward" in said.stderr
    assert [row["reward"] for row in rows(tmp_path / "out")] == [None] * 3


def test_a_model_plays_the_user_and_its_words_are_replayed_without_it(
    place: Path, tmp_path: Path
) -> None:
    head = (place / "desk.cm2").read_text("utf-8").partition("task serve")[0]
    task = 'task t { user simulated "Be kind to them." item a { check replied } }\n'
    (place / "user.cm2").write_text(head + task, "utf-8")
    save(tmp_path / "person", byte_level())
    person = f'[user]\nengine = "transformers"\nmodel = "{tmp_path / "person"}"\n'
    (tmp_path / "world.toml").write_text(person, "utf-8")
    limits = ["--limits", "step_tokens=12,turns=2", "-n", 2]
    files = [tmp_path / name for name in "abc"]
    kept = tmp_path / "kept"
    world = ["--world", tmp_path / "world.toml"]
    for file, more in zip(
        files, ([*world, "--record", kept], [*world, "--concurrent", 1], []), strict=True
    ):
        if not more:
            more = ["--replay", kept]
        said = rollout(place, "-o", file, *limits, *more, spec="user.cm2")
        assert said.exit_code == 0, said.output
        plays = "the model that plays users: "
        assert (plays in said.stdout) == (file is not files[2])
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()
    assert len({row["messages"][1]["content"] for row in rows(files[0])}) == 2


def test_a_judge_that_is_not_there_is_said_before_anything_is_played(
    place: Path, tmp_path: Path
) -> None:
    said = 'engine = "openai"\nmodel = "m"\nurls = ["http://127.0.0.1:9/v1"]\ntries = 1\n'
    (tmp_path / "judge.toml").write_text(said, "utf-8")
    ended = rollout(place, "-o", tmp_path / "out", "--judge", tmp_path / "judge.toml", *SHORT)
    assert ended.exit_code == 2
    assert "Traceback" not in ended.output
    assert not list(tmp_path.glob("out*"))


def test_a_policy_behind_a_server_plays_as_one_in_a_directory(place: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(place / "model")
    where = ["--tokenizer", place / "model", "--served-as", "policy"]
    with PolicyServer(model) as server:
        given = ["rollout", str(place / "desk.cm2"), "--model", server.url, *map(str, where)]
        given += ["-n", "2", "-o", str(tmp_path / "out"), *SHORT, "--allow-python"]
        said = CliRunner().invoke(main, given)
        assert said.exit_code == 0, said.output
        assert {body["model"] for body in server.bodies} == {"policy"}
    assert len(rows(tmp_path / "out")) == 6
    assert not any("fault" in row for row in rows(tmp_path / "out"))
    assert len({row["messages"][2]["content"] for row in rows(tmp_path / "out")}) > 3


def test_a_server_needs_a_tokenizer_and_one_that_is_not_there_is_said(place: Path) -> None:
    given = ["rollout", str(place / "desk.cm2"), "--model", "http://127.0.0.1:9", "--allow-python"]
    said = CliRunner().invoke(main, given)
    assert said.exit_code == 2
    assert "--tokenizer" in said.stderr
    said = CliRunner().invoke(
        main, [*given, "--tokenizer", str(place / "model"), "--key-env", "NO"]
    )
    assert said.exit_code == 2
    assert "the environment variable `NO` is not set" in said.stderr
    assert rollout(place, "--served-as", "policy").exit_code == 2


def test_less_than_one_rollout_is_refused(place: Path) -> None:
    assert rollout(place, "-n", 0).exit_code == 2


def test_a_file_that_is_read_is_not_written_over(place: Path) -> None:
    said = rollout(place, "-o", place / "desk.cm2")
    assert said.exit_code == 2
    assert "is a file of the spec" in said.stderr


def test_a_folder_that_cannot_be_written_to_is_named(place: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    said = rollout(place, "-o", tmp_path / "out")
    assert said.exit_code == 2
    assert f"cannot read or write `{tmp_path / 'out'}`" in said.stderr


def test_a_spec_with_a_model_behind_its_tools_or_users_needs_its_settings(
    place: Path, tmp_path: Path
) -> None:
    text = (place / "desk.cm2").read_text("utf-8")
    spec = place / "llm.cm2"
    spec.write_text(text.replace('{ python "desk_backend.py" }', "{ llm }"), "utf-8")
    said = rollout(place, spec="llm.cm2")
    assert said.exit_code == 2
    assert "--world FILE" in said.stderr
    body = text[: text.index("task serve")]
    spec.write_text(body + 'task t { user simulated "Be kind." item a { check replied } }', "utf-8")
    said = rollout(place, spec="llm.cm2")
    assert said.exit_code == 2
    assert "[user]" in said.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_file_that_another_run_writes_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    first = RolloutFile(out, {"spec": "a"})
    first.rows.take(0, {"id": "0-0-0"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for key, restart in (({"spec": "a"}, False), ({"spec": "b"}, False), ({"spec": "a"}, True)):
        with pytest.raises(OutputFault, match="another run is writing"):
            RolloutFile(out, key, restart=restart)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    first.pause()
    second = RolloutFile(out, {"spec": "a"})
    assert second.rows.done == 1
    second.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
