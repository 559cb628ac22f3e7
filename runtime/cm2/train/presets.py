"""Named settings to start from: `cm2 train --preset NAME`.

A preset says what differs from the defaults of `Config`. A run file overrides it, and options
override both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TINY: Mapping[str, Any] = {
    "steps": 120,
    "group": 8,
    "groups": 16,
    "learning_rate": 8e-4,
    "micro_batch": 128,
    "checkpoint_every": 20,
    "samples": 3,
    "limits": {"steps": 5, "step_tokens": 96, "tokens": 768},
    "tiny": {},
}
"""What a tiny policy needs, which is built where no model is given; minutes on a CPU. Measured on
the shipped airline (docs/training.md)."""

PAPER: Mapping[str, Any] = {
    "group": 4,
    "groups": 4,
    "micro_batch": 1,
    "steps": 1000,
    "checkpoint_every": 10,
    "learning_rate": 1e-6,
    "schedule": "constant",
    "warmup": 0,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "loss": "dapo",
    "beta": 1e-4,
    "epsilon": 0.2,
    "iterations": 1,
    "updates": 1,
    "truncate": 2.0,
    "trl": {"use_bias_correction_kl": False},
    "gradient_checkpointing": True,
    "credit": {"scale": "none", "min_group": 4},
    "sampling": {"temperature": 1.0, "top_p": 1.0, "top_k": 0},
    "generation": {"backend": "colocate", "memory": 0.5, "sleep": True},
    "limits": {"steps": 30, "step_tokens": 8000, "tokens": 12000},
    "validation": {"every": 10, "samples": 4},
    "samples": 4,
}
"""The published settings of CM2 (arXiv 2602.12268), from the training script that its authors
released: namezhenzhang/CM2-RLCR-Tool-Agent at 56b8d08, pipeline/5_rl_training/traj_n48.sh.

| here | there |
|---|---|
| group 4, groups 4 | ROLL_OUT_N=4, TRAIN_BATCH_SIZE=4 (the name of the script speaks of 48) |
| micro_batch 1 | PPO_MICRO_BATCH_SIZE_PER_GPU=1 |
| learning_rate 1e-6, no warm-up | LR=1e-6, optim.lr_warmup_steps=-1; verl's schedule is constant |
| weight_decay 0.01, max_grad_norm 1 | not set: the defaults of verl 0.6.1's actor |
| loss dapo | loss_agg_mode=token-mean: every sampled token of the batch weighs the same |
| beta 1e-4 | kl_loss_coef=0.0001 with kl_loss_type=low_var_kl, the estimator that TRL uses, too |
| trl.use_bias_correction_kl false | verl weighs no KL by importance; TRL does by default |
| epsilon 0.2 | not set: clip_ratio of verl 0.6.1 |
| iterations 1, updates 1 | ppo_mini_batch_size=TRAIN_BATCH_SIZE, ppo_epochs 1 by default |
| truncate 2 | rollout_correction.rollout_is=token, rollout_is_threshold=2.0 |
| credit.scale none | norm_adv_by_std_in_grpo=False, reward_kwargs.do_norm_in_adv=False |
| credit.min_group 4 | reward_kwargs.threthod_num=4 |
| temperature 1, top_p 1 | not set for training: verl's defaults; val_kwargs says the same |
| generation colocate, sleep | SGLang on the GPUs that train, multi_stage_wake_up=True; here vLLM |
| generation.memory 0.5 | rollout.gpu_memory_utilization=0.5 |
| limits.steps 30 | multi_turn.max_assistant_turns=30 |
| limits.tokens 12000 | MAX_PROMPT_LENGTH=4000 + MAX_RESPONSE_LENGTH=8000 |
| checkpoint_every 10, validation.every 10 | save_freq=10, test_freq=10 |
| samples 4, validation.samples 4 | val_kwargs.n=4 |

There, tokens whose probability the two engines see more than 10^4 times apart veto their dialogue
(rollout_token_veto_threshold=1e-4); TRL has no such rule. There, 30 steps are those of a dialogue;
here, of a turn. `steps` is not theirs: they train for 100 epochs or until stopped.
"""

ONE_GPU: Mapping[str, Any] = {
    "group": 8,
    "groups": 8,
    "micro_batch": 4,
    "steps": 300,
    "learning_rate": 1e-5,
    "schedule": "constant",
    "beta": 0.0,
    "truncate": 2.0,
    "gradient_checkpointing": True,
    "generation": {"backend": "colocate", "memory": 0.5, "sleep": True},
    "lora": {"rank": 32, "alpha": 64.0, "targets": "all-linear"},
    "limits": {"steps": 12, "step_tokens": 1024, "tokens": 8192},
    "rows": {"draw": "difficulty", "resample": 4},
    "validation": {"every": 25, "samples": 2, "patience": 6},
    "samples": 2,
}
"""One GPU of 24 to 80 GB: an adapter in place of all weights, activations computed twice rather
than kept, rows that teach nothing drawn less often, and vLLM that samples on the same GPU.

LoRA on all linear layers with a learning rate about ten times that of full training learns as well
in reinforcement learning (Schulman and others, LoRA Without Regret, 2025, thinkingmachines.ai).
24 GB hold a model of about 4 billion parameters in bfloat16 (8 GB) with its adapter, the
activations of four dialogues and their caches; with more memory raise `micro_batch`. vLLM has a
copy of the model and its caches in half of the memory, and gives it back for the updates.
"""

PRESETS: Mapping[str, Mapping[str, Any]] = {"tiny": TINY, "paper": PAPER, "1gpu": ONE_GPU}
