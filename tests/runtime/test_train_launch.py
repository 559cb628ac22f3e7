"""The shipped configurations of launchers, and what a run refuses of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from talk import talk

from cm2.train.folder import RunError
from cm2.train.whole import see_divided

EXAMPLES = Path(__file__).parents[2] / "examples" / "accelerate"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_takes_the_shipped_configurations(path: Path) -> None:
    config = load_config_from_file(str(path))
    assert config.num_processes == 4
    assert config.mixed_precision == "bf16"
    types = {"multi_gpu": "MULTI_GPU", "fsdp2": "FSDP", "deepspeed_zero2": "DEEPSPEED"}
    assert config.distributed_type.value == types[path.stem]


def test_the_shipped_configuration_of_fsdp_divides_weights_as_a_run_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = launch_command_parser().parse_args(
        ["--config_file", str(EXAMPLES / "fsdp2.yaml"), "-m", "cm2"]
    )
    said = prepare_multi_gpu_env(_validate_launch_command(given)[0])
    for name, value in said.items():
        if name.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(name, value)
    assert see_divided()
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.cpu_ram_efficient_loading is False
    assert plugin.auto_wrap_policy is not None
    assert plugin.state_dict_type.name == "SHARDED_STATE_DICT"


@pytest.mark.slow
@pytest.mark.parametrize(("how", "ranks"), [("--cpu", 1), ("--use_fsdp", 2)])
def test_a_launch_of_two_processes_that_starts_one_is_noticed(
    tmp_path: Path, how: str, ranks: int
) -> None:
    script = tmp_path / "said.py"
    script.write_text(
        "from cm2.commands.launched import alone_by_accident\nprint(alone_by_accident())\n"
    )
    launch = ["-m", "accelerate.commands.launch", how, "--num_processes", "2"]
    done = subprocess.run(
        [sys.executable, *launch, "--main_process_port", "0", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "".join(done.stdout.split()) == str(ranks == 1) * ranks, done.stderr


FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
ZERO = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}


@pytest.mark.parametrize(("said", "divided"), [({}, False), (ZERO, False), (FSDP, True)])
def test_what_divides_weights_that_are_gathered_is_noticed(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], divided: bool
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FSDP_CPU_RAM_EFFICIENT_LOADING", "true")
    assert see_divided() == divided
    # A rank that loads no weights would play without them before the model is divided.
    assert os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == ("false" if divided else "true")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (FSDP | {"FSDP_VERSION": "1"}, "FSDP 1 flattens the weights"),
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP 1 flattens the weights"),
        (FSDP | {"FSDP_OFFLOAD_PARAMS": "true"}, "set `fsdp_offload_params: false`"),
        (ZERO | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "divide them with FSDP 2"),
    ],
)
def test_what_divides_weights_that_are_not_gathered_is_refused(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], why: str
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RunError, match=why):
        see_divided()


def test_a_run_on_divided_weights_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    spec, out = talk(tmp_path), tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "cm2", "train", str(spec), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "ACCELERATE_USE_FSDP": "true"},
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: FSDP 1 flattens the weights")
    assert not out.exists()
