"""What each process of a launched run does: `cm2 train`, with the advantages of every step kept.

    torchrun … rank_run.py FOLDER TRAIN-OPTIONS…

FOLDER/RANK.jsonl has a line a step: the advantages (row by row, of the tokens of its completion)
that TRL's loss got in this process; FOLDER/RANK.share has the share of the weights that lay in it
when it was to learn from them. The policy of the first two rollouts of every step breaks, so that
the first of two processes learns from fewer tokens. `BREAK=RANK:STEP:KIND` in the environment
breaks one process.

accelerate divides weights on GPUs alone, and leaves them whole on CPUs without a word. Here it
divides them on CPUs too, where the launcher's environment asks for FSDP: all that follows is real.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor

from cm2.cli import main
from cm2.rollout.generator import Line, PolicyFailure, Sampled
from cm2.rollout.local import LocalGenerator
from cm2.rollout.stage import Stage
from cm2.train.folder import RunError
from cm2.train.trainer import ChecklistTrainer

folder, rank = Path(sys.argv[1]), os.environ.get("RANK", "0")
inner = ChecklistTrainer._generate_and_score_completions
play = Stage.play
opens = LocalGenerator.open
configured = AcceleratorState.__init__


def divided(self: Any, *args: Any, fsdp_plugin: Any = None, **kwargs: Any) -> None:
    configured(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    if fsdp_plugin is not None and self.distributed_type is DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP
        self.fsdp_plugin = fsdp_plugin


def share(model: Any) -> float:
    here = [one.to_local() if isinstance(one, DTensor) else one for one in model.parameters()]
    return sum(one.numel() for one in here) / sum(one.numel() for one in model.parameters())


def kept(self: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    out = inner(self, inputs)
    rows = [
        values[: len(row["played"].rollout.completion)]
        for row, values in zip(inputs, out["advantages"].tolist(), strict=True)
    ]
    (folder / f"{rank}.share").write_text(str(share(self.model)))
    with (folder / f"{rank}.jsonl").open("a") as file:
        file.write(json.dumps(rows) + "\n")
    return out


class Gone(Line):
    async def say(self, given: Any, budget: int) -> Sampled:
        raise PolicyFailure("the line is gone")


def opened(self: Any, noise: np.random.Generator) -> Line:
    step, number = noise.bit_generator.seed_seq.entropy[1:]  # type: ignore[attr-defined]
    return Gone() if step > 0 and number < 2 else opens(self, noise)


def breaks(self: Any, rows: Any, generator: Any, keys: Any) -> Any:
    broken, step, kind = os.environ["BREAK"].split(":")
    if rank == broken and keys[0][1] == int(step):
        if kind == "error":
            raise RunError("this cannot go on")
        if kind == "bug":
            raise KeyError("a bug")
        if kind == "slow":
            time.sleep(3)
        else:
            os.kill(os.getpid(), signal.SIGINT if kind == "interrupt" else signal.SIGKILL)
            time.sleep(1)
    return play(self, rows, generator, keys)


ChecklistTrainer._generate_and_score_completions = kept
AcceleratorState.__init__ = divided
LocalGenerator.open = opened  # type: ignore[method-assign]
if "BREAK" in os.environ:
    Stage.play = breaks
sys.argv = ["cm2", *sys.argv[2:]]
main()
