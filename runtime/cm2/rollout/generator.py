"""What a policy's messages come from: a model in this process, or a server.

A dialogue has a line of its own to it. The line remembers all that the dialogue was given and all
that was sampled, so that only what is new is said, and what was computed for the rest is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np


@dataclass(frozen=True, slots=True)
class Sampled:
    """Ids as sampled (the end token included where it came) and their log-probabilities."""

    ids: list[int]
    logprobs: list[float]


class PolicyFailure(Exception):  # noqa: N818 - named as ToolFailure is
    """What runs the policy broke. The message says what; the rollout is masked."""


class Line(ABC):
    """One dialogue's line to the policy."""

    @abstractmethod
    async def say(self, given: Sequence[int], budget: int) -> Sampled:
        """What the policy says after all that came before and then `given`, in at most `budget`
        tokens (at least 1), which are remembered.

        `given` is not empty: at first the opening, later what follows the last message. Raises
        PolicyFailure.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """The dialogue is over: what was kept for it makes room."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class Usage:
    """What a generator has done since it was made.

    `sampled` and `prefilled` are tokens, `seconds` are those of each phase by its name, `exact` is
    how often a token was decided apart from its batch (docs/rollout.md).
    """

    sampled: int = 0
    prefilled: int = 0
    exact: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, phase: str, seconds: float) -> None:
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds


class Generator(ABC):
    """Samples what a policy says, in many dialogues at once.

    It is entered (`async with`) for a set of rollouts that are played with the same weights; what
    was kept of dialogues is gone when it is left, so that weights may change in between.
    """

    def __init__(self) -> None:
        self.usage = Usage()

    @abstractmethod
    def open(self, noise: np.random.Generator) -> Line:
        """A line for a new dialogue, whose tokens are drawn with `noise`, one draw a token.

        What a dialogue says follows from its noise and from what it is given, and not from which
        others are sampled beside it.
        """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(  # noqa: B027
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """No line is used any more."""
