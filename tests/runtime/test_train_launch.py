"""The shipped configurations of launchers, and what a run refuses of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from talk import talk

from cm2.train.ranks import sharding

EXAMPLES = Path(__file__).parents[2] / "examples" / "accelerate"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_takes_the_shipped_configurations(path: Path) -> None:
    config = load_config_from_file(str(path))
    assert config.num_processes == 4
    assert config.mixed_precision == "bf16"
    assert config.distributed_type.value == {"multi_gpu": "MULTI_GPU"}.get(path.stem, "DEEPSPEED")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"ACCELERATE_USE_FSDP": "true"}, "FSDP"),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "ZeRO-3"),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "2"}, None),
        ({}, None),
    ],
)
def test_weights_that_are_divided_are_noticed(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], what: str | None
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert sharding() == what


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
    assert done.stderr.splitlines()[-1].startswith("error: FSDP divides the weights")
    assert not out.exists()
