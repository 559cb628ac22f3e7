"""The policy that a run starts from: a model directory, or a tiny one cold-started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from cm2.bundle import Bundle
from cm2.chat import read
from cm2.rollout.codec import Codec, write
from cm2.train.coldstart import cold_start, encode
from cm2.train.config import Tiny
from cm2.train.relabel import Relabeller
from cm2.train.tiny import build_model, build_tokenizer
from cm2.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Policy:
    """A causal model and the codec of its tokenizer."""

    model: Any
    codec: Codec

    def save(self, folder: Path) -> None:
        """Write an ordinary transformers directory."""
        self.model.save_pretrained(folder)
        self.codec.tokenizer.save_pretrained(folder)

    @property
    def ends(self) -> list[int]:
        """Every token id that ends a message."""
        said = self.model.generation_config.eos_token_id
        return [self.codec.end, *([said] if isinstance(said, int) else said or [])]


def load_policy(folder: Path | str, bundle: Bundle) -> Policy:
    """The policy in a transformers directory. Raises OSError and ValueError for a broken one."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    if torch.cuda.is_available():
        model.to("cuda")
    return Policy(model, _codec(tokenizer, bundle))


def cold_started(
    bundle: Bundle,
    recordings: Sequence[Trajectory],
    tiny: Tiny,
    *,
    positions: int,
    seed: int,
    on_step: Callable[[int, float], None],
) -> Policy:
    """A tiny policy, trained on `recordings` alone (give those of training rows)."""
    tokenizer = build_tokenizer(_texts(recordings), tiny.vocabulary)
    model = build_model(tokenizer, tiny, positions=positions, seed=seed)
    codec = _codec(tokenizer, bundle)
    cold_start(
        model,
        [encode(recording, codec) for recording in recordings],
        tiny,
        relabel=Relabeller(tokenizer),
        pad=codec.pad,
        seed=seed,
        on_step=on_step,
    )
    return Policy(model, codec)


def read_recordings(bundle: Bundle) -> list[Trajectory]:
    """Every recorded dialogue that the spec's tasks refer to. Raises ChatError."""
    files = sorted({task.reference for task in bundle.spec.tasks if task.reference})
    return [recording for file in files for recording in read(bundle.files / file)]


def _codec(tokenizer: Any, bundle: Bundle) -> Codec:
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in bundle.spec.tools
    ]
    return Codec(tokenizer, system=bundle.spec.system, tools=tools)


def _texts(recordings: Sequence[Trajectory]) -> Iterator[str]:
    """The texts that a tokenizer should be good at: all that is said and called in dialogues."""
    for recording in recordings:
        for turn in recording.turns:
            yield turn.user
            for step in turn.steps:
                yield write(step)
                yield from (call.result for call in step.calls if call.result)
