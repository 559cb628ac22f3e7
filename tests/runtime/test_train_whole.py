"""Facts about short whole runs with adapters, validation and reports, of a tiny random policy.

What such a policy says is noise, so the checklist asks for letters that are in some of it.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rollout_doubles import tiny_tokenizer
from tensorboardX.proto.event_pb2 import Event
from transformers import AutoModelForCausalLM, TrainerControl, TrainerState

from cm2.bundle import Bundle, compile_bundle
from cm2.rollout.dialogue import Limits
from cm2.rollout.policy import Policy, codec_for, is_adapter, load_policy
from cm2.rollout.stage import Stage
from cm2.train.config import Config, Credit, Lora, Rows, Sampling, Tiny, Validation
from cm2.train.folder import RunError, RunFolder
from cm2.train.run import train
from cm2.train.tiny import build_model
from cm2.train.validation import Validator
from cm2.train.weights import load_weights

SPEC = """\
cm2 1

domain noise "Noise"

task say "Say something" each row in "rows.csv" split by split {
  turn once {
    user "Say {row.word}."
    item early weight 2 { check reply matches /[a-m]/ }
    item late { check reply matches /[n-z]/ }
    item digit { check reply matches /\\d/ }
  }
}
"""
CONFIG = Config(
    steps=2,
    group=2,
    groups=2,
    micro_batch=2,
    checkpoint_every=2,
    samples=1,
    limits=Limits(steps=2, step_tokens=8, tokens=512),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("noise")
    (folder / "noise.cm2").write_text(SPEC, "utf-8")
    rows = [f"r{i},word{i},{'train' if i < 4 else 'heldout'}" for i in range(8)]
    (folder / "rows.csv").write_text("\n".join(["id,word,split", *rows, ""]), "utf-8")
    return compile_bundle(folder / "noise.cm2", folder / "bundle")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> str:
    """The directory of a random model of two small layers."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = tiny_tokenizer()
    net = build_model(tokenizer, Tiny(hidden=16), positions=512, seed=0)
    Policy(net, codec_for(tokenizer, bundle)).save(folder)
    return str(folder)


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return [json.loads(line) for line in file]


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def everything(model: str) -> Config:
    """An adapter, the KL term, checkpointing, two iterations, difficulty, validation, a report."""
    return replace(
        CONFIG,
        model=model,
        steps=8,
        beta=0.1,
        iterations=2,
        gradient_checkpointing=True,
        learning_rate=1e-2,
        lora=Lora(rank=2, alpha=4.0, dropout=0.1),
        rows=Rows(draw="difficulty", resample=1),
        validation=Validation(every=1, samples=1, patience=2),
        report_to=("tensorboard",),
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle, model: str) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    train(bundle, everything(model), out)
    return out


def test_a_run_without_a_gain_ends_after_its_patience(run):
    validations = lines(run / "validation.jsonl")
    rewards = [line["reward"] for line in validations]
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    steps, best = summary["steps"], summary["kept_step"]
    assert [line["step"] for line in validations] == list(range(1, steps + 1))
    assert [line["step"] for line in lines(run / "metrics.jsonl")] == list(range(1, steps + 1))
    assert validations[-1]["best_step"] == best == rewards.index(max(rewards)) + 1
    assert steps == best + 2 < 9


def test_validation_and_report_play_held_out_rows_and_share_none(run, bundle):
    played: dict[str, set[str]] = {}
    for line in lines(run / "rollouts.jsonl"):
        played.setdefault(line["phase"], set()).add(line["task"])
    assert len(played["validation"]) == len(played["after"]) == 2
    assert played["validation"] | played["after"] == {f"say/r{i}" for i in range(4, 8)}
    assert played["before"] == played["after"]
    assert played["train"] <= {f"say/r{i}" for i in range(4)}


def test_each_validation_draws_the_same_noise_and_none_of_the_table_s_or_of_a_step_s(run):
    """A rollout's id is what its noise is drawn from."""
    drawn: dict[tuple[str, int], list[str]] = {}
    for line in lines(run / "rollouts.jsonl"):
        drawn.setdefault((line["phase"], line["step"]), []).append(line["id"])
    validations = [ids for (phase, _), ids in drawn.items() if phase == "validation"]
    tables = [ids for (phase, _), ids in drawn.items() if phase in ("before", "after")]
    steps = [ids for (phase, _), ids in drawn.items() if phase == "train"]
    assert len(validations) > 1
    assert all(ids == validations[0] for ids in validations)
    assert tables[0] == tables[1]
    every = [*validations[0], *tables[0], *(one for ids in steps for one in ids)]
    assert len(every) == len(set(every))


def test_the_model_is_the_adapter_of_the_best_validation(run, bundle, model):
    assert is_adapter(run / "model")
    (saved,) = run.glob("best-*")
    assert saved.name == f"best-{lines(run / 'validation.jsonl')[-1]['best_step']}"
    kept, best = (load_policy(path, bundle).model for path in (run / "model", saved))
    assert all(torch.equal(a, b) for a, b in zip(kept.parameters(), best.parameters(), strict=True))
    base = weights(AutoModelForCausalLM.from_pretrained(model))
    changed = [name for name, value in weights(kept).items() if not torch.equal(value, base[name])]
    assert changed
    assert all("embed" not in name and "norm" not in name for name in changed)


def test_a_line_of_metrics_says_what_a_step_did_and_where_its_time_went(run):
    *_, line = lines(run / "metrics.jsonl")
    assert {"reward", "items", "stops", "gate_rate", "sources", "lengths", "groups"} <= line.keys()
    assert {"loss", "entropy", "kl", "clipped", "grad_norm", "learning_rate"} <= line.keys()
    assert line["without_variance"] <= len(line["groups"]) == 2 + line["resampled"]
    assert line["rollouts"] == 2 * len(line["groups"])
    phases = line["phases"]
    assert {"play", "credit", "update", "validation"} <= phases.keys()
    assert 0 < phases["play/decode"] < phases["play"]
    own = sum(seconds for name, seconds in phases.items() if "/" not in name)
    assert own == pytest.approx(line["seconds"], abs=0.01)
    assert line["memory"]["process"] > 0
    assert line["tokens_per_second"] > 0


def test_groups_that_are_not_learned_from_are_marked(bundle, model, tmp_path):
    """A policy that says the same each time earns the same each time."""
    cold = replace(CONFIG, model=model, steps=1, sampling=Sampling(temperature=1e-3))
    train(bundle, replace(cold, rows=Rows(resample=1)), tmp_path / "run")
    trained = [x for x in lines(tmp_path / "run" / "rollouts.jsonl") if x["phase"] == "train"]
    assert [line.get("learned", True) for line in trained] == [True] * 4 + [False] * 2
    (line,) = lines(tmp_path / "run" / "metrics.jsonl")
    assert (line["without_variance"], line["resampled"], line["rollouts"]) == (2, 1, 6)
    assert line["loss"] == 0.0


def test_the_same_numbers_go_where_trl_reports_to(run):
    scalars: dict[str, list[float]] = {}
    for file in (run / "tensorboard").glob("events.*"):
        data, at = file.read_bytes(), 0
        while at < len(data):  # a TFRecord: the length, its checksum, the event, its checksum
            (length,) = struct.unpack_from("<Q", data, at)
            for value in Event.FromString(data[at + 12 : at + 12 + length]).summary.value:
                scalars.setdefault(value.tag, []).append(value.simple_value)
            at += length + 16
    written = lines(run / "metrics.jsonl")
    assert scalars["train/cm2/reward"] == pytest.approx([line["reward"] for line in written])
    assert scalars["train/cm2/phases/play"] == pytest.approx([x["phases"]["play"] for x in written])
    assert len(scalars["train/cm2/validation/reward"]) == len(written)
    assert len(scalars["train/loss"]) == len(written)


def test_a_step_of_two_iterations_is_played_once_and_learned_from_twice(run):
    metrics = lines(run / "metrics.jsonl")
    trained = [line for line in lines(run / "rollouts.jsonl") if line["phase"] == "train"]
    assert len(trained) == sum(line["rollouts"] for line in metrics)
    assert {line["step"] for line in trained} == {line["step"] for line in metrics}
    marks = run / "checkpoints" / "trained" / "cm2.json"
    assert json.loads(marks.read_text("utf-8"))["step"] == 2 * len(metrics)


def test_a_run_that_was_interrupted_anywhere_ends_the_same(
    run, bundle, model, tmp_path, monkeypatch
):
    """Between two checkpoints, after a validation, with rows that hang on earlier groups."""
    played = Stage.play
    calls = 0

    def power_cut(self: Stage, rows: Any, *given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise KeyboardInterrupt
        return played(self, rows, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "play", power_cut)
        with pytest.raises(KeyboardInterrupt):
            train(bundle, everything(model), tmp_path / "run")
    train(bundle, everything(model), tmp_path / "run")

    def shown(folder: Path) -> list[Any]:
        metrics = lines(folder / "metrics.jsonl")
        return [[x[key] for key in ("reward", "groups", "loss", "kl", "tokens")] for x in metrics]

    assert shown(tmp_path / "run") == shown(run)
    validations, others = (lines(f / "validation.jsonl") for f in (tmp_path / "run", run))
    assert [line["reward"] for line in validations] == [line["reward"] for line in others]
    summary, other = (json.loads((f / "summary.json").read_text()) for f in (tmp_path / "run", run))
    assert summary["after"] == other["after"]
    assert summary["kept_step"] == other["kept_step"]


def test_an_adapter_can_be_written_as_an_ordinary_model_and_trained_from(run, bundle, tmp_path):
    config = replace(CONFIG, lora=Lora(rank=2, merge=True), learning_rate=1e-2, steps=1)
    train(bundle, replace(config, model=str(run / "model")), tmp_path / "run")
    start = load_policy(run / "model", bundle).model
    began = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "start")
    assert all(
        torch.allclose(a, b) for a, b in zip(began.parameters(), start.parameters(), strict=True)
    )
    assert not is_adapter(tmp_path / "run" / "model")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "model")
    adapted = load_policy(tmp_path / "run" / "adapter", bundle).model
    for a, b in zip(merged.parameters(), adapted.parameters(), strict=True):
        assert torch.allclose(a, b)


def test_what_samples_here_agrees_with_what_learns_here(bundle, model, tmp_path):
    config = replace(CONFIG, model=model, truncate=2.0, sampling=Sampling(temperature=0.7))
    train(bundle, config, tmp_path / "run")
    found = [line["importance"] for line in lines(tmp_path / "run" / "metrics.jsonl")]
    assert found == pytest.approx([1.0, 1.0], abs=1e-4)


def test_checkpointing_changes_no_number(bundle, model, tmp_path):
    losses = []
    for given in (True, False):
        config = replace(CONFIG, model=model, beta=0.1, gradient_checkpointing=given)
        train(bundle, replace(config, learning_rate=1e-2), tmp_path / str(given))
        losses.append([line["kl"] for line in lines(tmp_path / str(given) / "metrics.jsonl")])
    assert losses[0] == pytest.approx(losses[1], abs=1e-7)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sync_ref_model": True}, "while `beta=0.0`"),
        ({"optim": "adamw_bnb_8bit"}, "install `bitsandbytes`"),
        ({"lr_scheduler_kwargs": {"slope": 2}}, "unexpected keyword argument 'slope'"),
    ],
)
def test_what_trl_finds_wrong_when_it_starts_is_told_in_words(bundle, model, tmp_path, given, says):
    config = replace(CONFIG, model=str(model), trl=given)
    with pytest.raises(RunError, match=f"TRL does not take these arguments: .*{says}"):
        train(bundle, config, tmp_path / "run")


def test_a_module_that_is_not_there_cannot_be_adapted(bundle, model, tmp_path):
    config = replace(CONFIG, model=model, lora=Lora(targets=("q_prj",)))
    with pytest.raises(
        RunError, match=r"the model has no module `q_prj` to adapt; it has .*q_proj"
    ):
        train(bundle, config, tmp_path / "run")
    with pytest.raises(RunError, match="`lm_head` cannot be adapted"):
        train(bundle, replace(config, lora=Lora(targets=("lm_head",))), tmp_path / "other")


def test_a_group_that_can_never_be_large_enough_is_an_error(bundle, model, tmp_path):
    with pytest.raises(RunError, match=r"`credit\.min_group` is 3, and a group has 2 rollouts"):
        train(bundle, replace(CONFIG, model=model, credit=Credit(min_group=3)), tmp_path / "run")


class Rewards:
    """A validator whose validations are worth what is given, and that writes the step it keeps."""

    def __init__(self, folder: Path, rewards: list[float], patience: int = 0) -> None:
        config = replace(CONFIG, iterations=2, validation=Validation(every=5, patience=patience))
        self.left, self.seen = list(rewards), []
        self.step = 0

        class Watching:
            def validated(_, summary: dict[str, Any]) -> None:  # noqa: N805
                self.seen.append(summary)

        self.validator = Validator(
            RunFolder(folder, {}), config, Watching(), lambda step: {"reward": self.left.pop(0)}
        )
        self.folder, self.validator.keep = folder, self.keep

    def keep(self, name: str) -> None:
        (self.folder / name).mkdir()
        (self.folder / name / "step").write_text(str(self.step))

    def run(self, steps: int) -> bool:
        """The next steps, each of two updates; whether training is to stop."""
        control = TrainerControl()
        for update in range(2 * self.step + 1, 2 * (self.step + steps) + 1):
            self.step = update // 2
            state = TrainerState(global_step=update)
            self.validator.on_step_end(None, state, control)
        return bool(control.should_training_stop)


def kept(folder: Path) -> dict[str, str]:
    return {path.name: (path / "step").read_text() for path in sorted(folder.glob("best-*"))}


def test_the_best_policy_is_kept_and_nothing_else(tmp_path):
    steps = Rewards(tmp_path / "run", [0.3, 0.5, 0.4, 0.6])
    steps.run(15)
    assert kept(tmp_path / "run") == {"best-10": "10"}
    assert steps.validator.best == tmp_path / "run" / "best-10"
    steps.run(5)
    assert kept(tmp_path / "run") == {"best-20": "20"}
    assert [line["best"] for line in steps.seen] == [0.3, 0.5, 0.5, 0.6]


def test_the_best_policy_of_the_newest_mark_outlives_later_ones(tmp_path):
    """A run that is killed goes on from its mark, and knows of no later policy."""
    steps = Rewards(tmp_path / "run", [0.3, 0.5, 0.6])
    steps.run(5)
    marked = json.loads(json.dumps(steps.validator.state()))
    steps.run(10)
    assert kept(tmp_path / "run") == {"best-5": "5", "best-15": "15"}
    steps.validator.restore(marked)
    assert kept(tmp_path / "run") == {"best-5": "5"}
    assert steps.validator.progress.best == 0.3


def test_patience_stops_a_run_at_its_last_validation(tmp_path):
    steps = Rewards(tmp_path / "run", [0.5, 0.4, 0.5], patience=2)
    assert not steps.run(14)
    assert steps.run(1)


def test_no_checkpoint_says_that_a_run_that_was_stopped_is_to_go_on(tmp_path):
    steps = Rewards(tmp_path / "run", [0.5, 0.4], patience=1)
    steps.run(9)
    control = TrainerControl(should_save=True)
    steps.validator.on_step_end(None, TrainerState(global_step=20), control)
    assert control.should_training_stop
    assert not control.should_save


def test_a_model_directory_whose_parts_do_not_fit_is_no_traceback(bundle, model, tmp_path):
    cut, other, small = (shutil.copytree(model, tmp_path / name) for name in ("cut", "other", "s"))
    os.truncate(cut / "model.safetensors", 1000)
    config = json.loads((other / "config.json").read_text("utf-8"))
    (other / "config.json").write_text(json.dumps({**config, "vocab_size": 200}), "utf-8")
    fewer = AutoModelForCausalLM.from_pretrained(model)
    fewer.resize_token_embeddings(200)
    fewer.save_pretrained(small)
    for folder in (cut, other):
        with pytest.raises(ValueError, match="weights do not fit its config, or are cut short"):
            load_policy(folder, bundle)
    with pytest.raises(ValueError, match=r"its tokenizer has the token \d+, .* knows 200 tokens"):
        load_policy(small, bundle)


def test_weights_that_were_saved_are_given_back(bundle, model, tmp_path):
    policy = load_policy(model, bundle)
    before = weights(policy.model)
    policy.save(tmp_path / "saved")
    with torch.no_grad():
        for tensor in policy.model.parameters():
            tensor.add_(1.0)
    load_weights(policy.model, tmp_path / "saved")
    after = weights(policy.model)
    assert all(torch.equal(after[name], value) for name, value in before.items())
