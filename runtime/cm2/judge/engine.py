"""What a judge needs of a model: texts in, constrained answers or causes of failure out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request. `seed` None decodes greedily; a number samples, the same text for the same."""

    system: str
    user: str
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The text of an answer that came to its end; not yet checked against anything."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, and why: an outage, a prompt that does not fit, a token budget that ended."""

    cause: str


Answer = Answered | Failed


class Engine(Protocol):
    """A model behind one call.

    An engine is made with the verdict schema and decodes every answer under it. What goes wrong
    with one prompt is that prompt's Failed, and never an exception.
    """

    @property
    def control_tokens(self) -> Sequence[str]:
        """The texts that the model's tokenizer reads as control tokens."""

    def answer(self, prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, in their order."""


class JudgeLoadError(Exception):
    """A model directory cannot be a judge. The message is for the user: what is wrong, what to do.

    Also raised where the packages of the extra `judge` are not installed.
    """
