"""GRPO with checklist rewards: TRL's trainer, our rollouts, our advantages.

TRL offers one way in for each. `rollout_func` gets the prompts, already repeated G times, and
returns tokens; what else a rollout is (its dialogue, its verdicts and its credit) travels in the
extra columns `played` and `credit`. In `_generate_and_score_completions` TRL's advantages, one a
rollout, are replaced by ours, one a token, which its loss accepts as (B, T). The three levels of
credit differ in this tensor and in nothing else. A checkpoint is sealed when it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from trl import GRPOTrainer
from trl.models.utils import disable_gradient_checkpointing

from cm2.rollout.dialogue import Rollout
from cm2.rollout.stage import Played
from cm2.train.arguments import taken
from cm2.train.checkpoint import Checkpoints, numbered
from cm2dsl.reward.credit import RolloutCredit

Rollouts = Callable[[list[str], "ChecklistTrainer"], dict[str, Any]]


class ChecklistTrainer(GRPOTrainer):  # type: ignore[misc]  # TRL is not typed
    """`GRPOTrainer` whose `rollout_func` returns the columns that `columns` makes."""

    def __init__(
        self,
        *args: Any,
        rollout_func: Rollouts,
        checkpoints: Checkpoints | None = None,
        figures: Callable[[], Mapping[str, float]] | None = None,
        truncate: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Where `checkpoints` is given, each one that TRL writes becomes a mark of it. `figures`
        are logged with TRL's own of each step, and so go wherever these go. `truncate` bounds the
        importance of a token; None leaves it out."""
        with taken():
            super().__init__(*args, reward_funcs=[reward], rollout_func=rollout_func, **kwargs)
        self._checkpoints = checkpoints
        self._figures = figures
        self._truncate = truncate

    def _generate(self, prompts: list[Any]) -> Any:
        if self.use_vllm:  # the run gives it the weights itself (cm2.train.generation)
            self._last_loaded_step = self.state.global_step
        return super()._generate(prompts)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = super()._generate_and_score_completions(inputs)
        out["advantages"] = advantage_tensor(
            [row["played"].rollout for row in inputs],
            [row["credit"] for row in inputs],
            width=out["completion_ids"].shape[1],
        ).to(out["completion_ids"].device)
        if self._truncate is not None:
            out["advantages"] *= self._importance(out, self._truncate)
        return out

    def _importance(self, out: Mapping[str, Any], most: float) -> torch.Tensor:
        """min(`most`, π/µ) of each token (B, T): π its probability to the model that learns, µ to
        what sampled it (truncated importance sampling: Yao and others, 2025).

        Whoever samples computes in another way, or in another precision. Advantages that are
        multiplied by it weigh the loss of a token, whichever the loss is: its sign stays.
        """
        ids = torch.cat([out["prompt_ids"], out["completion_ids"]], dim=1)
        attended = torch.cat([out["prompt_mask"], out["completion_mask"]], dim=1)
        kwargs = self.args.gradient_checkpointing_kwargs
        training = self.model.training
        self.model.eval()  # dropout is no part of the policy that sampled
        with torch.no_grad(), disable_gradient_checkpointing(self.model, kwargs):
            logprobs, _, _ = self._get_per_token_logps_and_entropies(
                self.model,
                ids,
                attended,
                out["completion_ids"].shape[1],
                batch_size=self.args.per_device_train_batch_size,
            )
        self.model.train(training)
        sampled = out["tool_mask"] * out["completion_mask"] > 0
        gap = (logprobs - out["sampling_per_token_logps"]).masked_fill(~sampled, 0.0)
        importance = gap.exp().clamp(max=most)
        kept = self.accelerator.gather(torch.stack([importance[sampled].sum(), sampled.sum()]))
        total, count = kept.view(-1, 2).sum(0).tolist()
        self._metrics["train"]["importance"].append(total / max(count, 1.0))
        return importance

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if self._figures is not None and "loss" in logs:
            logs.update(self._figures())
        super().log(logs, start_time)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        with taken():
            return super().create_optimizer(*args, **kwargs)

    def create_scheduler(self, *args: Any, **kwargs: Any) -> Any:
        with taken():
            return super().create_scheduler(*args, **kwargs)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None: it would be written beside the checkpoints, about a model that is not there."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # each process writes its own random state
        if self._checkpoints is not None:
            step = self.state.global_step
            self._checkpoints.seal(numbered(step), step)


def columns(played: Sequence[Played], credits: Sequence[RolloutCredit]) -> dict[str, Any]:
    """What `rollout_func` returns for the rollouts of this process and their credit."""
    return {
        "prompt_ids": [one.rollout.prompt for one in played],
        "completion_ids": [one.rollout.completion for one in played],
        "logprobs": [one.rollout.logprobs for one in played],
        "env_mask": [[0 if one.masked else bit for bit in one.rollout.mask] for one in played],
        "played": list(played),
        "credit": list(credits),
    }


def reward(played: Sequence[Played], **_: Any) -> list[float | None]:
    """TRL's reward function: for its log alone. What has none leaves the mean."""
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
