"""A policy: a causal model with the codec of its tokenizer, out of a model directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from cm2.bundle import Bundle
from cm2.rollout.codec import Codec


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
    return Policy(model, codec_for(tokenizer, bundle))


def codec_for(tokenizer: Any, bundle: Bundle) -> Codec:
    """The codec of a tokenizer, with the system prompt and the tools of a spec."""
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
