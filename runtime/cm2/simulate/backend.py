"""What a backend is, and what passes between it and the world."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from cm2.trajectory import has_failed

Effect = Literal["read", "write", "generic"] | None
Source = Literal["schema", "replay", "python", "llm", "mcp", "nobody"]
Requestor = Literal["agent", "user"]


class ToolFailure(Exception):  # noqa: N818 - an outage, not a mistake
    """The world broke, not the agent: a backend raised, overran its time, or gave no JSON.

    A rollout in which this happens is masked. It is never scored.
    """


class SimulationError(Exception):
    """The simulation cannot run as the spec has it; no rollout can, so the run ends."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's result as who called sees it, who gave it, and why it is this one.

    `schema`: the call was refused before any backend saw it. `nobody`: no backend had an answer.
    `why` is short, the same in every run, and names no place outside the spec. `failed` is what
    the source says of the result, None where the text alone says it (see `has_failed`).
    """

    text: str
    source: Source
    why: str = ""
    failed: bool | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A backend leaves a call to the next one; `why` begins with the backend's name."""

    why: str


@dataclass(frozen=True, slots=True)
class Event:
    """One call that was answered. `key` is the canonical form of the arguments (empty: none)."""

    tool: str
    arguments: Mapping[str, Any] | None
    key: str
    effect: Effect
    answer: Answer
    requestor: Requestor = "agent"

    @property
    def wrote(self) -> bool:
        """Whether the call changed the world: a write that was not answered with an error."""
        answer = self.answer
        return self.effect == "write" and not has_failed(answer.text, answer.failed)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that meets its schema and wants an answer.

    `arguments` are canonical: other spellings and omitted defaults are resolved. `key` is their
    text, the same for equal ones. `history` is what was answered before it in this world, in
    order; `beside` are the calls of the same message that stand before it and are answered at the
    same time, so that nobody knows their answers yet. They only read.
    """

    tool: str
    arguments: Mapping[str, Any]
    key: str
    effect: Effect
    history: Sequence[Event] = ()
    requestor: Requestor = "agent"
    beside: Sequence[Asked] = ()


class Backend(Protocol):
    """One link of the chain, for one rollout. It sees valid calls only.

    Calls of one message that only read are answered at the same time. A backend that is `in_order`
    is asked about one of them when all those before it are answered: `Asked.history` then holds
    them, and `Asked.beside` is empty.
    """

    in_order: bool

    async def answer(self, asked: Asked) -> Answer | Passed | None:
        """The answer, or why the call is left to the next backend. May raise ToolFailure."""
        ...

    async def follow(self, asked: Asked, answer: Answer) -> None:
        """An earlier backend gave this answer: keep the state in step. May raise ToolFailure.

        Comes in the order of the message, also for calls that are answered at the same time.
        """
        ...

    async def close(self) -> None:
        """The rollout is over: let go of what the backend holds for it."""
        ...


def error_text(message: str) -> str:
    """A tool's error as the agent sees it."""
    return dump({"error": message})


def dump(value: Any) -> str:
    """Compact JSON; raises ValueError or TypeError for what JSON cannot hold."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
