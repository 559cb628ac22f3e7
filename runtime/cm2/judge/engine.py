"""What a judge needs of a model: prompts in, constrained answers or causes of failure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

Shape = Literal["verdict", "dated", "score"]
"""The fixed schemas of answers: a verdict, one that names its step, one number for a dialogue."""


@dataclass(frozen=True, slots=True)
class Form:
    """A schema of an answer's own: `schema` is its JSON text, in the words of `form.py`.

    `name` is what servers call it: letters, digits, `_` and `-`. An answer may have `max_tokens`,
    whatever the engine's own bound is.
    """

    name: str
    schema: str
    max_tokens: int


Trouble = Literal[
    "refused", "limited", "outage", "timeout", "rejected", "too_long", "truncated", "off_schema"
]
"""Why there is no answer: no connection, a rate limit, a server's fault or one cut off, a deadline,
a request that the server does not take, a prompt that does not fit, an answer without an end, and
one that is not what the schema says."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request.

    `shape` is the schema of the answer: a fixed one by its name, or one of its own.
    `seed` None decodes greedily; a number samples, the same text for the same. `lane` names what
    the prompt shares its beginning with, as a rule one turn of one dialogue: prompts of a lane are
    best sent to the server that has the beginning in its cache. It is no part of what is asked.
    """

    system: str
    user: str
    seed: int | None = None
    shape: Shape | Form = "verdict"
    lane: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a prompt, those of them that a server had in its cache, and of the answer.

    None is what an engine does not say. `seconds` run from the request to the last of the answer.
    """

    prompt: int | None = None
    cached: int | None = None
    output: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The text of an answer that came to its end; not yet checked against anything.

    `confidence` is the probability that the model gave to the verdict it wrote, among the verdicts
    that the schema allows there; None where the engine cannot say.
    """

    text: str
    usage: Usage = Usage()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, and why. `again` says whether the same request may do better, after `wait` s."""

    cause: str
    trouble: Trouble
    again: bool = False
    wait: float | None = None
    usage: Usage = Usage()


Answer = Answered | Failed


def schema_of(shape: Shape | Form, fixed: Mapping[Shape, str]) -> str:
    """The schema of an answer, as JSON text, out of the `fixed` ones or its own."""
    return shape.schema if isinstance(shape, Form) else fixed[shape]


def tokens_of(shape: Shape | Form, most: int) -> int:
    """How many tokens an answer may have: `most` is the engine's bound for the fixed shapes."""
    return shape.max_tokens if isinstance(shape, Form) else most


class Engine(Protocol):
    """A model behind one call.

    An engine decodes every answer under the schema of the prompt's shape. What goes wrong with one
    prompt is that prompt's Failed, and never an exception; an engine that can answer nothing at all
    (the key is wrong, the server ignores schemas) raises EngineError.
    """

    @property
    def identity(self) -> str:
        """The model and how it decodes: what a cached answer must have in common with a new one."""

    @property
    def control_tokens(self) -> Sequence[str]:
        """The texts that the model's tokenizer reads as control tokens."""

    async def answer(self, prompt: Prompt) -> Answer:
        """The answer to a prompt. Many may be asked at once."""

    async def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class Tested(Protocol):
    """An engine that can be tried before anything depends on it."""

    async def ready(self) -> None:
        """Raises EngineError where it could answer nothing at all."""


class EngineError(Exception):
    """An engine that cannot judge at all, found while it ran. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


class JudgeLoadError(Exception):
    """A judge that cannot be opened. The message is for the user: what is wrong, what to do.

    Also raised where the packages of the extra `judge` are not installed.
    """
