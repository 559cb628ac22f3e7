"""What a project lets the judging of one rollout cost."""

from __future__ import annotations

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
