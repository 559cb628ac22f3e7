"""What bounds a rollout, and the names of every reason for which one ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from cm2dsl import ir

Stop = Literal[
    "done",
    "strict",
    "max_turns",
    "max_steps",
    "max_step_tokens",
    "max_tokens",
    "max_calls",
    "end_of_text",
    "malformed",
    "policy_failure",
    "user_failure",
    "tool_failure",
    "judge_failure",
]

MEANINGS: dict[Stop, str] = {
    "done": "the user had no more to say, and every turn ended with a message that calls no tool",
    "strict": "a strict item did not hold",
    "max_turns": "the user would have gone on for more turns than the limit",
    "max_steps": "a turn took more steps than the limit",
    "max_step_tokens": "one message did not end within its budget",
    "max_tokens": "the dialogue with its prompt grew too long",
    "max_calls": "one message called more tools than the limit; none of its calls was answered",
    "end_of_text": "a message ended with another end token than the chat format's",
    "malformed": "a call could not be read, and the spec or the limits say that this ends it",
    "policy_failure": "what runs the policy broke: the rollout is masked",
    "user_failure": "the model that plays the user broke: the rollout is masked",
    "tool_failure": "a backend broke: the rollout is masked",
    "judge_failure": "the judge's verdict on a strict item is an error: the rollout is masked",
}
"""What each reason to stop says, as the documentation has it."""

MASKS: frozenset[Stop] = frozenset(
    {"policy_failure", "user_failure", "tool_failure", "judge_failure"}
)
"""Reasons that are no doing of the policy's: such a rollout has no reward, and nobody learns."""


Count = Annotated[int, Meta(ge=1, le=10**9)]

SIMULATED_TURNS = 32
"""Turns of a simulated user where nobody says how many: a script has an end of its own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a dialogue may take.

    `turns` of the user (None: all of a script, and `SIMULATED_TURNS` of a model), `steps` a turn,
    sampled tokens a step (`step_tokens`), `tokens` of the whole dialogue with its prompt, and
    `calls` in one message. `malformed` says whether a dialogue goes on after a call that cannot be
    read (the policy sees the error as its result) or ends; None is what the spec says.
    """

    steps: Count = 8
    step_tokens: Count = 512
    tokens: Count = 8192
    turns: Count | None = None
    calls: Count = 16
    malformed: ir.Malformed | None = None
