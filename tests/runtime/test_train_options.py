"""Facts about what of TRL can be set, what cannot, and what the command says of it."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from trl import GRPOConfig

from cm2.commands.train import command
from cm2.commands.train_options import FIELDS
from cm2.rollout.limits import Limits
from cm2.train.arguments import REFUSED, check_trl, grpo_arguments
from cm2.train.config import (
    DEMONSTRATION,
    Config,
    Credit,
    Generation,
    Lora,
    Rows,
    Sampling,
    Validation,
)
from cm2.train.folder import RunError
from cm2.train.presets import PRESETS
from cm2.train.runfile import preset, resolve, told

DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def shown(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(command, ["--show-config", *arguments])
    assert done.exit_code == 0, done.output
    return tomllib.loads(done.output)


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(command, ["--show-config", *arguments])
    assert done.exit_code == 2
    return done.output


def test_what_is_refused_is_known_to_trl():
    assert set(REFUSED) <= {one.name for one in fields(GRPOConfig)}


@pytest.mark.parametrize(
    "key", ["num_generations", "output_dir", "report_to", "generation_kwargs", "use_vllm"]
)
def test_what_would_break_a_run_is_refused_with_the_reason(key):
    with pytest.raises(RunError, match=f"`trl.{key}` cannot be set: "):
        check_trl({key: 3})


@pytest.mark.parametrize("key", ["use_vllm", "vllm_mode", "vllm_gpu_memory_utilization"])
def test_what_samples_is_said_in_a_table_of_its_own(key):
    with pytest.raises(RunError, match=r"set `generation\.backend`, and its table"):
        check_trl({key: 1})
    with pytest.raises(RunError, match=r"set `truncate`"):
        check_trl({"vllm_importance_sampling_correction": True})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("generation.backend=vllm", "expected one of `local`, `colocate`, `server`, found `vllm`"),
        ("generation.memory=1.5", "`generation.memory`: expected `float` < 1.0"),
        ("generation.port=0", "`generation.port`: expected `int` >= 1"),
        ("generation.host=a", "there is no `host` in `generation`"),
    ],
)
def test_a_wrong_setting_of_what_samples_is_named(given, says):
    assert says in refused("--set", given)


def test_what_samples_is_set_like_any_other_key():
    told = shown("--preset", "1gpu", "--model", ".", "--set", "generation.backend=server")
    assert told["generation"]["backend"] == "server"
    assert told["generation"]["memory"] == 0.5


def test_an_argument_that_trl_has_not_is_no_argument():
    with pytest.raises(RunError, match=r"TRL's GRPOConfig has no `optm`; did you mean `optim`\?"):
        check_trl({"optm": "adafactor"})


def test_any_other_argument_of_trl_reaches_it(tmp_path):
    trl = {"optim": "adafactor", "delta": 4.0, "top_entropy_quantile": 0.2}
    arguments = grpo_arguments(replace(DEMONSTRATION, trl=trl), tmp_path)
    assert (arguments.optim, arguments.delta) == ("adafactor", 4.0)
    assert arguments.top_entropy_quantile == 0.2


def test_a_value_that_trl_does_not_take_is_no_traceback(tmp_path):
    with pytest.raises(RunError, match="TRL does not take these arguments"):
        grpo_arguments(replace(DEMONSTRATION, trl={"optim": "adamm"}), tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_trl_whole_steps(name, tmp_path):
    config = resolve([preset(name)])
    arguments = grpo_arguments(config, tmp_path)
    played = arguments.per_device_train_batch_size * arguments.steps_per_generation
    assert played == arguments.generation_batch_size == config.group * config.groups
    assert arguments.scale_rewards == "none"
    assert not arguments.shuffle_dataset


def test_several_updates_of_a_step_are_steps_of_trl(tmp_path):
    config = replace(DEMONSTRATION, micro_batch=32, updates=2, iterations=3, steps=10)
    arguments = grpo_arguments(config, tmp_path)
    assert arguments.max_steps == 60
    assert arguments.gradient_accumulation_steps == 2
    assert arguments.save_steps == config.checkpoint_every * 6
    with pytest.raises(RunError, match="`updates` 3 does not divide the 4 passes"):
        grpo_arguments(replace(config, updates=3), tmp_path)


def test_every_option_sets_a_field_that_there_is():
    options = {parameter.name for parameter in command.params}
    for name, path in FIELDS.items():
        assert name in options
        here: object = PRESETS["1gpu"] if path.startswith("lora") else None
        config: object = resolve([preset("1gpu")]) if here is not None else Config()
        for key in path.split("."):
            config = getattr(config, key)


def test_options_win_over_a_file_and_a_file_over_a_preset(tmp_path: Path):
    file = tmp_path / "train.toml"
    file.write_text('preset = "paper"\nmodel = "m"\ngroup = 6\nbeta = 0.5\n')
    config = shown("--config", str(file), "--beta", "0.25", "--set", "limits.steps=3")
    assert (config["group"], config["beta"]) == (6, 0.25)
    assert config["groups"] == PRESETS["paper"]["groups"]
    assert config["limits"]["steps"] == 3
    assert config["model"] == str(tmp_path / "m")


def test_a_preset_that_a_file_names_wrongly_is_an_error_at_its_line(tmp_path: Path):
    (tmp_path / "train.toml").write_text('group = 6\npreset = "papr"\n')
    with pytest.raises(RunError, match=r"train.toml:2: there is no preset `papr`; .*`paper`"):
        told(None, tmp_path / "train.toml", {}, [])


def test_without_a_model_the_tiny_preset_is_the_default(tmp_path: Path):
    assert shown()["tiny"]["steps"] == DEMONSTRATION.tiny.steps
    assert "tiny" not in shown("--model", str(tmp_path))
    assert "tiny" not in shown("--model", str(tmp_path), "--preset", "tiny")
    assert "the preset `paper` trains a model; name one with --model" in refused(
        "--preset", "paper"
    )


def test_passes_that_nobody_asked_for_are_made_to_fit(tmp_path: Path):
    assert shown("--group", "3", "--groups", "5")["micro_batch"] == 3
    assert shown("--group", "3", "--groups", "5", "--micro-batch", "5")["micro_batch"] == 5


def test_metrics_go_nowhere_that_is_not_there():
    assert "did you mean `tensorboard`?" in refused("--report-to", "tensorbord")


def test_nothing_is_trained_without_a_spec():
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 2
    assert "there is no SPEC" in done.output


def test_the_documentation_has_every_key_and_every_option():
    text = DOCS.read_text("utf-8")
    table = text[text.index("| key | default | option") :]
    table = table[: table.index("\n\n")]
    left_out = {"judge", "world", "tiny", "trl"}
    parts = {"credit": Credit, "sampling": Sampling, "rows": Rows, "validation": Validation}
    parts |= {"limits": Limits, "lora": Lora, "generation": Generation}
    for one in fields(Config):
        if one.name in left_out:
            continue
        assert f"`{one.name}" in table, one.name
        for inner in fields(parts[one.name]) if one.name in parts else ():
            known = (f"`{one.name}.{inner.name}`", f"`.{inner.name}`")
            assert any(name in table for name in known), (one.name, inner.name)
    for parameter in command.params:
        if parameter.name in FIELDS:
            assert f"`{parameter.opts[0]}" in table, parameter.opts[0]


def test_a_schedule_gets_what_it_needs_and_what_else_is_said_of_it(tmp_path):
    said = {"lr_scheduler_kwargs": {"min_lr_ratio": 0.1}}
    arguments = grpo_arguments(Config(steps=30, trl=said), tmp_path)
    assert arguments.lr_scheduler_kwargs == {"num_decay_steps": 10, "min_lr_ratio": 0.1}


def test_importance_is_that_of_a_sequence_where_the_loss_is_made_for_it(tmp_path):
    levels = {
        loss: grpo_arguments(Config(loss=loss), tmp_path).importance_sampling_level
        for loss in ("dapo", "luspo")
    }
    assert levels == {"dapo": "token", "luspo": "sequence"}
    with pytest.raises(RunError, match="is `token` or `sequence`, not `x`"):
        check_trl({"importance_sampling_level": "x"})


@pytest.mark.parametrize("key", ["lr_scheduler_type", "use_liger_kernel", "fsdp", "deepspeed"])
def test_what_a_run_could_not_go_on_with_is_refused(key):
    with pytest.raises(RunError, match=f"`trl.{key}` cannot be set: "):
        check_trl({key: True})
