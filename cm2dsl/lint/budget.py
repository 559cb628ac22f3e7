"""What a project lets the judging of one rollout cost, and policies earn that learnt nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Budget(Struct, frozen=True):
    """The most of each: requests and estimated tokens of a rollout, and shares of a task's reward.

    `judge_calls` counts every vote; `prompt_tokens` is for one prompt, which has to fit the judge's
    context; `rollout_tokens` is for all prompts of a rollout together.

    `floor` is for policies that do nothing, echo, refuse, apologise or greet. By default it lets
    one turn of three be one in which nothing is to be done: who idles still misses most of the
    task. `blind_reward` is for policies that call tools without a thought, or say what the
    checklist wants to hear.
    """

    judge_calls: int = 30
    prompt_tokens: int = 8_000
    rollout_tokens: int = 100_000
    floor: float = 0.34
    blind_reward: float = 0.5

    @classmethod
    def of(cls, settings: Mapping[str, float]) -> Budget:
        """The budget of settings by their names in `[tool.cm2.lint]`; the rest is as by default."""
        most: dict[str, Any] = {SETTINGS[name]: value for name, value in settings.items()}
        return cls(**most)


SETTINGS = {
    "max-judge-calls": "judge_calls",
    "max-prompt-tokens": "prompt_tokens",
    "max-rollout-tokens": "rollout_tokens",
    "max-floor": "floor",
    "max-blind-reward": "blind_reward",
}
"""Name of a setting -> what it is the most of."""

SHARES = ("max-floor", "max-blind-reward")
"""Settings from 0 to 1; the others are whole numbers."""
