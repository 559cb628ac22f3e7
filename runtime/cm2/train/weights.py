"""What is trained: all weights of a model, or an adapter beside them (LoRA, with peft)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cm2.rollout.policy import is_adapter
from cm2.train.config import Lora
from cm2.train.folder import RunError


def adapter(lora: Lora, model: Any) -> Any:
    """peft's config of an adapter for a model.

    Raises RunError where peft is missing, where the model has no module by one of the names in
    `lora.targets`, and for the head, of which TRL reads the weights past an adapter.
    """
    try:
        from peft import LoraConfig
    except ImportError:
        raise RunError("an adapter needs peft; install with: pip install 'cm2dsl[train]'") from None
    if lora.targets != "all-linear":
        if "lm_head" in lora.targets:
            raise RunError("`lm_head` cannot be adapted: TRL computes the loss from its weights")
        modules = {name.rpartition(".")[2]: one for name, one in model.named_modules() if name}
        linear = [name for name, one in modules.items() if type(one).__name__ == "Linear"]
        for target in lora.targets:
            if target not in modules:
                shown = ", ".join(f"`{name}`" for name in sorted(linear) if name != "lm_head")
                raise RunError(f"the model has no module `{target}` to adapt; it has {shown}")
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # any number: it is divided by the rank
        lora_dropout=lora.dropout,
        target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
    )


def merge(adapted: Path, tokenizer: Any, folder: Path) -> None:
    """Write the model of an adapter's directory with the adapter in its weights."""
    from peft import AutoPeftModelForCausalLM

    model = AutoPeftModelForCausalLM.from_pretrained(adapted)
    model.merge_and_unload().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_weights(model: Any, folder: Path) -> None:
    """Give a model that is being trained the weights, or the adapter, that were saved of it."""
    if is_adapter(folder):
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(model, load_peft_weights(str(folder), device=str(model.device)))
        return
    from transformers import AutoModelForCausalLM

    saved = AutoModelForCausalLM.from_pretrained(folder, dtype=model.dtype)
    model.load_state_dict(saved.state_dict())
