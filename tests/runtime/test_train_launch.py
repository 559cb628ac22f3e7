"""The shipped configurations of launchers, and what a run refuses of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from talk import talk

from cm2.train.folder import RunError
from cm2.train.whole import see_divided

EXAMPLES = Path(__file__).parents[2] / "examples" / "accelerate"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_takes_the_shipped_configurations(path: Path) -> None:
    config = load_config_from_file(str(path))
    assert config.num_processes == 4
    assert config.mixed_precision == "bf16"
    assert config.distributed_type.value == {"multi_gpu": "MULTI_GPU"}.get(path.stem, "DEEPSPEED")


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
