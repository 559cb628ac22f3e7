"""Training an adapter in place of the weights (LoRA, with peft)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm2.train.config import Lora
from cm2.train.folder import RunError


def adapter(lora: Lora, model: Any) -> Any:
    """peft's config of an adapter for a model.

    Raises RunError where the model has no module by one of the names in `lora.targets`, and for
    the head, of which TRL reads the weights past an adapter.
    """
    from peft import LoraConfig

    if lora.targets != "all-linear":
        names = {name.rpartition(".")[2] for name, _ in model.named_modules() if name}
        for target in lora.targets:
            if target not in names:
                linear = sorted(
                    {
                        name.rpartition(".")[2]
                        for name, module in model.named_modules()
                        if type(module).__name__ == "Linear"
                    }
                )
                raise RunError(
                    f"the model has no module `{target}` to adapt; "
                    f"its linear ones are {', '.join(f'`{name}`' for name in linear)}"
                )
        if "lm_head" in lora.targets:
            raise RunError("`lm_head` cannot be adapted: TRL computes the loss from its weights")
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
    )


def merge(adapted: Path, tokenizer: Any, folder: Path) -> None:
    """Write a model with the adapter of a folder in its weights, as an ordinary directory."""
    from peft import AutoPeftModelForCausalLM

    model = AutoPeftModelForCausalLM.from_pretrained(adapted)
    model.merge_and_unload().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
