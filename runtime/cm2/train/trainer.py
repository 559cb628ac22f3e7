"""GRPO with checklist rewards: TRL's trainer, our rollouts, our advantages.

TRL offers one way in for each. `rollout_func` gets the prompts, already repeated G times, and
returns tokens; what else a rollout is (its dialogue and its verdicts) travels in the extra column
`played`. `_generate_and_score_completions` is the one method overridden: TRL's advantages, one a
rollout, are replaced by ours, one a token, which its loss accepts as (B, T). The three levels of
credit differ in this tensor and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from trl import GRPOConfig, GRPOTrainer

from cm2.rollout.dialogue import Rollout
from cm2.rollout.stage import Played
from cm2.train.config import Config
from cm2.train.folder import CHECKPOINTS
from cm2dsl.reward.credit import RolloutCredit

AssignCredit = Callable[[Sequence[Played]], Sequence[RolloutCredit]]
"""The credit of the rollouts of one group, in their order."""


class ChecklistTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is not typed
    """`GRPOTrainer` whose `rollout_func` returns the extra column `played` (list of Played)."""

    def __init__(self, *args: Any, assign: AssignCredit, **kwargs: Any) -> None:
        super().__init__(*args, reward_funcs=[reward], **kwargs)
        self._assign = assign

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = super()._generate_and_score_completions(inputs)
        mine = [row["played"] for row in inputs]
        everyone: list[Played] = gather_object(mine)
        first = self.accelerator.process_index * len(mine)
        credits = [
            credit
            for start in range(0, len(everyone), self.num_generations)
            for credit in self._assign(everyone[start : start + self.num_generations])
        ][first : first + len(mine)]
        out["advantages"] = advantage_tensor(
            [one.rollout for one in mine], credits, width=out["completion_ids"].shape[1]
        ).to(out["completion_ids"].device)
        return out


def reward(played: Sequence[Played], **_: Any) -> list[float | None]:
    """TRL's reward function: for its log alone. None is a masked rollout, and leaves the mean."""
    return [one.scored.reward for one in played]


def advantage_tensor(
    rollouts: Sequence[Rollout], credits: Sequence[RolloutCredit], *, width: int
) -> torch.Tensor:
    """Advantages (B, T): each sampled token has that of its (turn, step); every other token 0."""
    tensor = torch.zeros(len(rollouts), width)
    for row, (rollout, credit) in enumerate(zip(rollouts, credits, strict=True)):
        for column, place in enumerate(rollout.places):
            if place is not None:
                turn, step = place
                tensor[row, column] = credit.advantages[turn][step]
    return tensor


def grpo_arguments(config: Config, out: Path) -> GRPOConfig:
    """TRL's arguments for a run. Advantages and rollouts are ours, so what is left is the update.

    `group * groups` rollouts make one update; `loss_type="dapo"` weighs every sampled token the
    same, `beta=0` keeps no reference model, and the learning rate goes down in the last third.
    """
    cuda = torch.cuda.is_available()
    processes = PartialState().num_processes
    return GRPOConfig(
        output_dir=str(out / CHECKPOINTS),
        seed=config.seed,
        max_steps=config.steps,
        num_generations=config.group,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=config.group * config.groups // config.micro_batch // processes,
        learning_rate=config.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": config.steps // 3},
        warmup_steps=min(5, config.steps // 3),
        max_completion_length=config.limits.tokens,
        temperature=1.0,
        beta=0.0,
        loss_type="dapo",
        scale_rewards="none",
        use_cpu=not cuda,
        bf16=cuda,
        gradient_checkpointing=cuda,
        save_strategy="steps",
        save_steps=config.checkpoint_every,
        save_total_limit=1,
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
    )
