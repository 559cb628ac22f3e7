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
    """A tool's result as the agent sees it, who gave it, and why it is this one.

    `schema`: the call was refused before any backend saw it. `nobody`: no backend had an answer.
    """

    text: str
    source: Source
    why: str = ""


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
        return self.effect == "write" and not has_failed(self.answer.text, None)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that meets its schema and wants an answer. `key` is the canonical form of its
    arguments, `history` what was answered before it in this world."""

    tool: str
    arguments: Mapping[str, Any]
    key: str
    effect: Effect
    history: Sequence[Event] = ()
    requestor: Requestor = "agent"


class Backend(Protocol):
    """One link of the chain, for one rollout. It sees valid calls only."""

    async def answer(self, asked: Asked) -> Answer | None:
        """The answer, or None to leave the call to the next backend. May raise ToolFailure."""
        ...

    async def follow(self, asked: Asked, answer: Answer) -> None:
        """An earlier backend gave this answer: keep the state in step. May raise ToolFailure."""
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
