"""Facts about what a run is told: presets, run files and settings, and how they win over others."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from cm2.train.config import DEMONSTRATION, Config, Lora
from cm2.train.folder import RunError
from cm2.train.presets import PRESETS
from cm2.train.runfile import Layer, preset, read_run_file, resolve, settings, toml_of


def said(text: str) -> Layer:
    return Layer(tomllib.loads(text), "train.toml", text)


def test_no_layer_is_the_defaults():
    assert resolve([]) == Config()


def test_the_preset_tiny_is_the_demonstration():
    assert resolve([preset("tiny")]) == DEMONSTRATION


@pytest.mark.parametrize("name", PRESETS)
def test_a_config_as_toml_gives_the_same_config_again(name):
    config = resolve([preset(name), settings(["truncate=false", "trl.optim=adafactor"])])
    assert resolve([said(toml_of(config))]) == config


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_plays_whole_groups_in_whole_passes(name):
    config = resolve([preset(name)])
    passes, rest = divmod(config.group * config.groups, config.micro_batch)
    assert rest == 0
    assert passes % config.updates == 0
    assert config.credit.min_group <= config.group


def test_a_preset_yields_to_a_file_and_both_to_settings():
    config = resolve(
        [
            preset("1gpu"),
            said("group = 4\ngroups = 3\n[lora]\nrank = 8\n"),
            settings(["groups=5", "lora.alpha=8", 'credit.level="turn"', "credit.scale=std"]),
        ]
    )
    assert (config.group, config.groups) == (4, 5)
    assert config.lora == Lora(rank=8, alpha=8.0, targets="all-linear")
    assert (config.credit.level, config.credit.scale) == ("turn", "std")
    assert config.rows.draw == PRESETS["1gpu"]["rows"]["draw"]


def test_false_takes_away_what_a_preset_gives():
    config = resolve([preset("1gpu"), said("lora = false\ntruncate = false\n")])
    assert config.lora is None
    assert config.truncate is None
    assert config.gradient_checkpointing is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grop = 4", "train.toml:1: there is no `grop`; did you mean `group`?"),
        ("[lora]\nrank = 4\nalfa = 2", "train.toml:3: there is no `alfa` in `lora`; did you mean"),
        ("lora.rnk = 4", "train.toml:1: there is no `rnk` in `lora`; did you mean `rank`?"),
        ("\ngroup = 1", "train.toml:2: `group`: expected `int` >= 2"),
        ("group = 'four'", "train.toml:1: `group`: expected `int`, got `str`"),
        ("lora = 4", "train.toml:1: `lora`: expected `table | false`, got `int`"),
        ("report_to = 'wandb'", "train.toml:1: `report_to`: expected `list`, got `str`"),
        (
            "[credit]\nlevel = 'steps'",
            "train.toml:2: `credit.level`: expected one of `trajectory`, `turn`, `step`, "
            "found `steps`",
        ),
        ("[rows]\nresample = -1", "train.toml:2: `rows.resample`: expected `int` >= 0"),
        ("[limits]\nsteps = 0", "train.toml:2: `limits.steps`: expected `int` >= 1"),
        ("judge = 'judge.toml'", "train.toml:1: a judge's settings have a file of their own"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(text, message):
    with pytest.raises(RunError) as raised:
        resolve([preset("1gpu"), said(text)])
    assert str(raised.value).startswith(message)


def test_what_is_wrong_in_a_setting_is_named_as_one():
    with pytest.raises(RunError, match=r"--set: there is no `stps`; did you mean `steps`\?"):
        resolve([said("steps = 3"), settings(["stps=4"])])
    with pytest.raises(RunError, match="--set takes KEY=VALUE, and `steps` has no `=`"):
        settings(["steps"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("learning_rate=inf", "`learning_rate`: expected `float` <= 1000000000.0"),
        ("beta=1e400", "`beta`: expected `float` <= 1000000000.0"),
        ("learning_rate=nan", "`learning_rate`: expected `float` > 0.0"),
        ("seed=4294967296", "`seed`: expected `int` <= 4294967295"),
        ("steps=99999999999999999999999", "`steps`: expected `int` <= 1000000000"),
        ("judge.engine=checks", "a judge's settings have a file of their own"),
        ("world.user=x", "the simulator's settings have a file of their own"),
    ],
)
def test_a_setting_that_is_out_of_bounds_or_elsewhere_is_refused(given, says):
    with pytest.raises(RunError, match="--set: " + re.escape(says)):
        resolve([settings([given])])


def test_a_model_in_a_file_is_found_beside_it(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "train.toml").write_text('model = "model"\n')
    assert resolve([read_run_file(tmp_path / "train.toml")]).model == str(tmp_path / "model")


def test_a_file_that_is_no_toml_says_where(tmp_path: Path):
    (tmp_path / "train.toml").write_text("group = = 4\n")
    with pytest.raises(RunError, match=r"train\.toml: not TOML: invalid value \(at line 1"):
        read_run_file(tmp_path / "train.toml")
