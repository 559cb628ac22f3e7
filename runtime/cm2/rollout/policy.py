"""A policy: a causal model with the codec of its tokenizer, out of a model directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
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


def load_policy(folder: Path | str, bundle: Bundle, dtype: str = "auto") -> Policy:
    """The policy in a transformers directory, or in one of an adapter of peft's, which is merged
    into the model that it was trained on.

    `dtype` is torch's name of a number type; `auto` is bfloat16 on a GPU, and float32 elsewhere.
    Raises OSError and ValueError for a broken one, ImportError where an adapter lacks peft.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    if dtype == "auto":
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    try:
        model = _model(folder, dtype)
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f"its weights do not fit its config, or are cut short: {error}") from error
    largest, known = (
        max(tokenizer.get_vocab().values()),
        model.get_input_embeddings().num_embeddings,
    )
    if largest >= known:
        raise ValueError(
            f"its tokenizer has the token {largest}, and the model knows {known} tokens"
        )
    if torch.cuda.is_available():
        model.to("cuda")
    return Policy(model, codec_for(tokenizer, bundle))


def _model(folder: Path | str, dtype: str) -> Any:
    if not is_adapter(folder):
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    from peft import AutoPeftModelForCausalLM

    return AutoPeftModelForCausalLM.from_pretrained(folder, dtype=dtype).merge_and_unload()


def is_adapter(folder: Path | str) -> bool:
    """Whether a directory holds an adapter alone."""
    return (Path(folder) / "adapter_config.json").is_file()


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
