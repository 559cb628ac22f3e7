"""One rollout's world: it checks each call, asks the backends in order, and keeps a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cm2.simulate.arguments import Schema, canonical, normalise
from cm2.simulate.backend import Answer, Asked, Backend, Effect, Event, ToolFailure, error_text

__all__ = ["ToolFailure", "World"]


class World:
    """Answers the calls of one rollout, one after the other (also those of one message).

    `schemas` and `effects` are by tool name. The same calls in the same order get the same answers.
    """

    def __init__(
        self,
        schemas: Mapping[str, Schema],
        effects: Mapping[str, Effect],
        backends: Sequence[Backend],
    ) -> None:
        self.log: list[Event] = []
        self._schemas = schemas
        self._effects = effects
        self._backends = tuple(backends)

    async def call(self, tool: str, arguments: Mapping[str, Any] | None) -> Answer:
        """The result of a call; `arguments` is None where the agent wrote no JSON object.

        A call that is wrong gets an error as its answer, `{"error": …}`, as from a real service.
        Raises ToolFailure where the world broke (mask the rollout), SimulationError where the spec
        cannot be simulated (end the run).
        """
        key = _key(arguments)
        if arguments is None or key is None:
            answer = _refusal("the arguments are no JSON object")
        elif tool not in self._schemas:
            known = ", ".join(self._schemas) or "none"
            answer = _refusal(f"unknown tool; there are {known}")
        elif (complaint := self._schemas[tool].complaint(arguments)) is not None:
            answer = _refusal(complaint)
        else:
            effect = self._effects[tool]
            answer = await self._ask(Asked(tool, normalise(arguments), key, effect, self.log))
        self.log.append(Event(tool, arguments, key or "", self._effects.get(tool), answer))
        return answer

    async def close(self) -> None:
        """The rollout is over."""
        for backend in self._backends:
            await backend.close()

    async def _ask(self, asked: Asked) -> Answer:
        """The first backend's answer; the later ones keep their state in step with it."""
        for index, backend in enumerate(self._backends):
            answer = await backend.answer(asked)
            if answer is not None:
                for later in self._backends[index + 1 :]:
                    await later.follow(asked, answer)
                return answer
        return Answer(error_text(f"{asked.tool} has no answer to this"), "nobody")


def _key(arguments: Mapping[str, Any] | None) -> str | None:
    """The canonical arguments; None where they are no object, or one that JSON cannot hold."""
    try:
        return None if arguments is None else canonical(arguments)
    except (ValueError, RecursionError):
        return None


def _refusal(message: str) -> Answer:
    return Answer(error_text(message), "schema")
