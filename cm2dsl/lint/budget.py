"""What a project lets the judging of one rollout cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """The most of each that a rollout may take, in requests and in estimated tokens.

    `judge_calls` counts every vote; `prompt_tokens` is for one prompt, which has to fit the judge's
    context; `rollout_tokens` is for all prompts of a rollout together.
    """

    judge_calls: int = 30
    prompt_tokens: int = 8_000
    rollout_tokens: int = 100_000

    @classmethod
    def of(cls, settings: Mapping[str, int]) -> Budget:
        """The budget of settings by their names in `[tool.cm2.lint]`; the rest is as by default."""
        return cls(**{SETTINGS[name]: most for name, most in settings.items()})


SETTINGS = {
    "max-judge-calls": "judge_calls",
    "max-prompt-tokens": "prompt_tokens",
    "max-rollout-tokens": "rollout_tokens",
}
"""Name of a setting -> what it is the most of."""
