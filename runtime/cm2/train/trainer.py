"""GRPO with checklist rewards: TRL's trainer, our rollouts, our advantages.

TRL offers one way in for each. `rollout_func` gets the prompts, already repeated G times, and
returns tokens; what else a rollout is (its dialogue and its verdicts) travels in the extra column
`played`. `_generate_and_score_completions` is the one method overridden: TRL's advantages, one a
rollout, are replaced by ours, one a token, which its loss accepts as (B, T). The three levels of
credit differ in this tensor and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from trl import GRPOTrainer

from cm2.rollout.dialogue import Rollout
from cm2.rollout.stage import Played
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
