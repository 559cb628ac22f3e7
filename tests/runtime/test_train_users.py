"""`cm2 train` plays users that are simulated."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from judge_models import byte_level, save
from rollout_doubles import desk, tiny_tokenizer

from cm2.cli import main
from cm2.train.config import Tiny
from cm2.train.tiny import build_model

TASK = """
task serve each row in "rows.csv" split by split {
  user simulated "You want to cancel booking {row.booking}."
  item answers { check replied }
  item cancels { check called cancel }
}
"""


def test_a_spec_with_a_simulated_user_is_trained_on_with_a_model_that_plays_it(
    tmp_path: Path,
) -> None:
    desk(tmp_path, rows=["AB12", "CD34"])
    head = (tmp_path / "desk.cm2").read_text("utf-8").partition("task serve")[0]
    (tmp_path / "user.cm2").write_text(head + TASK, "utf-8")
    tokenizer = tiny_tokenizer()
    build_model(tokenizer, Tiny(), positions=600, seed=0).save_pretrained(tmp_path / "policy")
    tokenizer.save_pretrained(tmp_path / "policy")
    save(tmp_path / "person", byte_level())
    person = f'[user]\nengine = "transformers"\nmodel = "{tmp_path / "person"}"\n'
    (tmp_path / "world.toml").write_text(person, "utf-8")
    given = ["train", str(tmp_path / "user.cm2"), "--model", str(tmp_path / "policy")]
    given += ["--steps", "1", "--group", "2", "--groups", "1", "--micro-batch", "2"]
    given += ["--set", "limits.tokens=600", "--set", "limits.step_tokens=12"]
    given += ["--set", "limits.turns=2", "--set", "samples=1", "--allow-python"]
    given += ["--out", str(tmp_path / "run")]
    without = CliRunner().invoke(main, given)
    assert without.exit_code == 2
    assert "[user]" in without.stderr
    said = CliRunner().invoke(main, [*given, "--world", str(tmp_path / "world.toml")])
    assert said.exit_code == 0, said.output
    lines = (tmp_path / "run" / "rollouts.jsonl").read_text("utf-8").split("\n")
    rollouts = [json.loads(line) for line in lines if line]
    assert {one["phase"] for one in rollouts} == {"before", "train", "after"}
    for one in rollouts:
        assert "fault" not in one
        assert one["messages"][1]["role"] == "user"
        assert one["messages"][1]["content"]
