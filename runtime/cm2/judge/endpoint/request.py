"""What a judge asks a server: one body of a chat completion a prompt."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cm2.judge.endpoint.structured import Structured, constraint
from cm2.judge.engine import Form, Prompt, Shape, tokens_of

ALTERNATIVES = 5
"""Tokens whose probability is asked for at every place: hosts differ in how many they give."""

OWN = ("model", "messages", "response_format", "structured_outputs", "n", "stream", "logprobs")
"""Fields that only the judge may set."""

LEFT_OUT = (
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "seed",
    "logprobs",
    "top_logprobs",
)
"""Fields that a request may do without."""

_SEEDS = 1 << 31
"""Servers take seeds of 32 bits, or of 31."""


@dataclass(frozen=True, slots=True)
class Requests:
    """How prompts become requests to one kind of server.

    `temperature` and `top_p` are those of samples: one answer is decoded greedily. `system_role`
    False puts the instructions in front of the user message, for chat templates that take no system
    message. `extra` are further fields, `leave_out` names fields that the server refuses.
    """

    model: str
    schemas: Mapping[Shape, Any]
    structured: Structured
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    system_role: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    leave_out: Collection[str] = ()

    def body(self, prompt: Prompt, logprobs: bool) -> dict[str, Any]:
        """The body of a prompt's request; `logprobs` asks for the tokens' probabilities too, where
        they say how sure the model is."""
        wanted = logprobs and not isinstance(prompt.shape, Form)
        limit = "max_completion_tokens" if self.structured == "strict" else "max_tokens"
        fields: dict[str, Any] = {
            "model": self.model,
            "messages": self._messages(prompt),
            limit: tokens_of(prompt.shape, self.max_tokens),
            **self._sampling(prompt.seed),
            **constraint(self.structured, _name(prompt.shape), self.schema(prompt)),
            **({"logprobs": True, "top_logprobs": ALTERNATIVES} if wanted else {}),
            **self.extra,
        }
        return {name: value for name, value in fields.items() if name not in self.leave_out}

    def schema(self, prompt: Prompt) -> Any:
        """The schema of a prompt's answer."""
        shape = prompt.shape
        return json.loads(shape.schema) if isinstance(shape, Form) else self.schemas[shape]

    def _messages(self, prompt: Prompt) -> list[dict[str, str]]:
        if not self.system_role:
            return [{"role": "user", "content": f"{prompt.system}\n\n{prompt.user}"}]
        return [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ]

    def _sampling(self, seed: int | None) -> dict[str, Any]:
        if seed is None:
            return {"temperature": 0.0, "seed": 0}
        return {"temperature": self.temperature, "top_p": self.top_p, "seed": seed % _SEEDS}


def _name(shape: Shape | Form) -> str:
    return shape.name if isinstance(shape, Form) else f"cm2_{shape}"
