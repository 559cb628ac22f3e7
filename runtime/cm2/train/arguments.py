"""A run's config as the arguments of TRL's trainer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from accelerate import PartialState
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from trl import GRPOConfig

from cm2.train.config import Config
from cm2.train.folder import CHECKPOINTS, RunError
from cm2dsl.diagnostic import suggest

_OURS = "it is the run's own"
_PLAYED = "rollouts are played here, and not by TRL's generation"
_SAMPLES = "what samples is the run's own: set `generation.backend`, and its table"
_CREDIT = "rewards and advantages come from the checklist"
_HUB = "a run leaves everything in its folder, and uploads nothing"
_LOGGED = "a run logs every step"
REFUSED: Mapping[str, str] = {
    "output_dir": f"{_OURS}: give --out",
    "seed": f"{_OURS}: set `seed`",
    "data_seed": f"{_OURS}: set `seed`",
    "max_steps": f"{_OURS}: set `steps`",
    "num_train_epochs": f"{_OURS}: set `steps`",
    "num_generations": f"{_OURS}: set `group`",
    "num_generations_eval": f"{_OURS}: set `validation.samples`",
    "per_device_train_batch_size": f"{_OURS}: set `micro_batch`",
    "per_device_eval_batch_size": f"{_OURS}: set `micro_batch`",
    "gradient_accumulation_steps": f"{_OURS}: set `groups`, `group`, `micro_batch` and `updates`",
    "generation_batch_size": f"{_OURS}: set `groups` and `group`",
    "steps_per_generation": f"{_OURS}: set `updates`",
    "auto_find_batch_size": f"{_OURS}: set `micro_batch`",
    "num_iterations": f"{_OURS}: set `iterations`",
    "learning_rate": f"{_OURS}: set `learning_rate`",
    "beta": f"{_OURS}: set `beta`",
    "epsilon": f"{_OURS}: set `epsilon`",
    "epsilon_high": f"{_OURS}: set `epsilon_high`",
    "loss_type": f"{_OURS}: set `loss`",
    "warmup_steps": f"{_OURS}: set `warmup`",
    "weight_decay": f"{_OURS}: set `weight_decay`",
    "max_grad_norm": f"{_OURS}: set `max_grad_norm`",
    "lr_scheduler_type": f"{_OURS}: set `schedule`",
    "temperature": f"{_OURS}: set `sampling.temperature`",
    "top_p": f"{_OURS}: set `sampling.top_p`",
    "top_k": f"{_OURS}: set `sampling.top_k`",
    "min_p": f"{_OURS}: set `sampling.min_p`",
    "max_completion_length": f"{_OURS}: set `limits.tokens`",
    "gradient_checkpointing": f"{_OURS}: set `gradient_checkpointing`",
    "activation_checkpointing": f"{_OURS}: set `gradient_checkpointing`",
    "run_name": f"{_OURS}: it is the name of --out",
    "report_to": f"{_OURS}: set `report_to`",
    "save_steps": f"{_OURS}: set `checkpoint_every`",
    "save_strategy": f"{_OURS}: set `checkpoint_every`",
    "save_total_limit": f"{_OURS}: the newest checkpoint is kept, and the best policy",
    "save_only_model": "a run could not be resumed then",
    "ignore_data_skip": "which rows a step plays follows from the step",
    "shuffle_dataset": "which rows a step plays is drawn here: set `rows.draw`",
    "train_sampling_strategy": "which rows a step plays is drawn here: set `rows.draw`",
    "remove_unused_columns": "rollouts travel in columns of their own",
    "resume_from_checkpoint": "a run is resumed by starting it again with its folder as --out",
    "load_best_model_at_end": f"{_OURS}: set `keep`",
    "metric_for_best_model": "the best policy is that of the highest validation reward",
    "greater_is_better": "the best policy is that of the highest validation reward",
    **dict.fromkeys(("do_eval", "do_train", "do_predict", "eval_on_start"), _OURS),
    **dict.fromkeys(
        ("eval_strategy", "eval_steps", "eval_delay", "eval_accumulation_steps"),
        f"{_OURS}: set `validation.every`",
    ),
    **dict.fromkeys(
        (
            "generation_kwargs",
            "chat_template_kwargs",
            "repetition_penalty",
            "cache_implementation",
            "use_transformers_continuous_batching",
            "transformers_continuous_batching_config",
            "use_transformers_paged",
            "max_tool_calling_iterations",
            "vllm_structured_outputs_regex",
        ),
        _PLAYED,
    ),
    **dict.fromkeys(
        ("use_liger_kernel", "liger_kernel_config"),
        "its loss takes one advantage a rollout, and here each token has its own",
    ),
    **dict.fromkeys(
        ("fsdp", "fsdp_config", "deepspeed", "parallelism_config"),
        "how processes share the weights is said to the launcher (docs/scale.md)",
    ),
    "model_init_kwargs": "the model is loaded before TRL sees it",
    "mask_truncated_completions": "a dialogue that hits a limit is a fact about the policy",
    **dict.fromkeys(("reward_weights", "multi_objective_aggregation"), _CREDIT),
    "scale_rewards": f"{_CREDIT}: set `credit.scale`",
    **dict.fromkeys(
        (
            "push_to_hub",
            "hub_model_id",
            "hub_token",
            "hub_private_repo",
            "hub_revision",
            "hub_strategy",
            "hub_always_push",
            "log_completions_hub_repo",
        ),
        _HUB,
    ),
    **dict.fromkeys(
        ("logging_steps", "logging_strategy", "logging_first_step", "disable_tqdm"), _LOGGED
    ),
    "log_completions": "rollouts.jsonl has them all",
    "vllm_importance_sampling_cap": f"{_OURS}: set `truncate`",
    "vllm_importance_sampling_clip_max": f"{_OURS}: set `truncate`",
    "vllm_importance_sampling_correction": f"{_OURS}: set `truncate`",
}
"""What TRL's GRPOConfig takes and a run's table `[trl]` does not, and why."""

_SCHEDULES = {
    "constant": "constant_with_warmup",
    "linear": "linear",
    "cosine": "cosine",
    "decay": "warmup_stable_decay",
}


def check_trl(given: Mapping[str, Any]) -> None:
    """Raises RunError for a key of `[trl]` that is none of GRPOConfig's, or is refused."""
    known = {one.name for one in fields(GRPOConfig)}
    for key in given:
        if key in known and "vllm" in key and key not in REFUSED:
            raise RunError(f"`trl.{key}` cannot be set: {_SAMPLES}")
        if key in REFUSED:
            raise RunError(f"`trl.{key}` cannot be set: {REFUSED[key]}")
        if key not in known:
            allowed = [one for one in known - REFUSED.keys() if "vllm" not in one]
            raise RunError(f"TRL's GRPOConfig has no `{key}`; {suggest(key, allowed)}")
    level = given.get("importance_sampling_level", "token")
    if level not in ("token", "sequence"):
        raise RunError(f"`trl.importance_sampling_level` is `token` or `sequence`, not `{level}`")


def check_reports(names: Sequence[str]) -> None:
    """Raises RunError for a place to report to that transformers does not know, or cannot reach for
    want of a package."""
    known = sorted(INTEGRATION_TO_CALLBACK)
    for name in names:
        if name not in known:
            raise RunError(f"metrics cannot be reported to `{name}`; {suggest(name, known)}")
        if name not in get_available_reporting_integrations():
            raise RunError(f"reporting to `{name}` needs its package; such as: pip install {name}")


def grpo_arguments(
    config: Config, out: Path, samples: Mapping[str, Any] = MappingProxyType({})
) -> GRPOConfig:
    """TRL's arguments for a run, with those about what `samples`. Advantages and rollouts are
    ours, so what is left is the update.

    A step's `group * groups` rollouts make `updates` updates, `iterations` times over; TRL counts
    each of these as a step of its own. `loss` `dapo` weighs every sampled token the same, and
    `beta` 0 keeps no reference model. Raises RunError where TRL takes no such arguments.
    """
    check_trl(config.trl)
    cuda = torch.cuda.is_available()
    micro_batch, passes = passes_of(config, PartialState().num_processes)
    checkpointing = cuda if config.gradient_checkpointing is None else config.gradient_checkpointing
    arguments: dict[str, Any] = {
        "output_dir": str(out / CHECKPOINTS),
        "seed": config.seed,
        "max_steps": trl_steps(config),
        "num_generations": config.group,
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": passes // config.updates,
        "steps_per_generation": passes,
        "num_iterations": config.iterations,
        "shuffle_dataset": False,  # a prompt is a place in the step: cm2.train.rows draws the rows
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": _SCHEDULES[config.schedule],
        "warmup_steps": min(config.warmup * updates_of(config), trl_steps(config) // 3),
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "max_completion_length": config.limits.tokens,
        "temperature": config.sampling.temperature,
        "top_p": config.sampling.top_p,
        "top_k": config.sampling.top_k,
        "min_p": config.sampling.min_p or None,
        "beta": config.beta,
        "epsilon": config.epsilon,
        "epsilon_high": config.epsilon_high,
        "loss_type": config.loss,
        "scale_rewards": "none",
        "use_cpu": not cuda,
        "bf16": cuda and config.dtype != "float16",
        "fp16": cuda and config.dtype == "float16",
        "gradient_checkpointing": checkpointing,
        "save_strategy": "steps",
        "save_steps": config.checkpoint_every * updates_of(config),
        "save_total_limit": 1,
        "logging_steps": updates_of(config),
        "report_to": list(config.report_to) or "none",
        "run_name": out.name,
        "disable_tqdm": True,
    }
    if config.schedule == "decay":
        arguments["lr_scheduler_kwargs"] = {
            "num_decay_steps": round(config.decay * trl_steps(config))
        }
    if config.loss == "luspo":  # what it is said of: TRL's default is right for the other losses
        arguments["importance_sampling_level"] = "sequence"
    given = dict(config.trl)
    for name in arguments.keys() & given.keys():  # a table adds to what is said here
        if isinstance(arguments[name], dict) and isinstance(given[name], Mapping):
            given[name] = arguments[name] | dict(given[name])
    with taken():
        return GRPOConfig(**arguments | dict(samples) | given)


@contextmanager
def taken() -> Iterator[None]:
    """Raises RunError in place of what TRL and transformers raise for arguments that they do not
    take, or cannot for want of a package."""
    try:
        yield
    except (TypeError, ValueError, ImportError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise RunError(f"TRL does not take these arguments: {reason}") from error


def passes_of(config: Config, processes: int) -> tuple[int, int]:
    """How many rollouts pass through the model at once on each process, and in how many passes its
    share of a step does. Raises RunError where a step cannot be divided."""
    rollouts = config.group * config.groups
    share, left = divmod(rollouts, processes)
    if left:
        raise RunError(
            f"{processes} processes cannot share a step's {rollouts} rollouts evenly; "
            "set `group` and `groups` so that their product is a multiple"
        )
    micro_batch = min(config.micro_batch, share)
    if share % micro_batch:
        raise RunError(
            f"`micro_batch` {micro_batch} does not divide the {share} rollouts of a process"
        )
    passes = share // micro_batch
    if passes % config.updates:
        raise RunError(
            f"`updates` {config.updates} does not divide the {passes} passes of a process's "
            f"{share} rollouts; set `micro_batch` lower"
        )
    return micro_batch, passes


def updates_of(config: Config) -> int:
    """How often the policy is updated in a step; TRL counts each as a step of its own."""
    return config.iterations * config.updates


def trl_steps(config: Config) -> int:
    """The run's length as TRL counts it."""
    return config.steps * updates_of(config)
