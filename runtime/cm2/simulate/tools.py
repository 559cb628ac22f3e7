"""The tools of a spec, the agent's and the user's: what they take, and which of them write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cm2.simulate.arguments import Schema, canonical
from cm2.simulate.backend import Effect, Requestor
from cm2dsl import ir


class Tools:
    """Raises SimulationError where the parameters of a tool are no JSON Schema.

    `stateful`: every tool has an `x-effect`, so that the writes before a call tell the state in
    which it is answered.
    """

    def __init__(self, agent: Sequence[ir.Tool], user: Sequence[ir.Tool] = ()) -> None:
        self._schemas: dict[Requestor, dict[str, Schema]] = {
            "agent": {tool.name: Schema(tool) for tool in agent},
            "user": {tool.name: Schema(tool) for tool in user},
        }
        self._effects: dict[Requestor, dict[str, Effect]] = {
            "agent": {tool.name: tool.effect for tool in agent},
            "user": {tool.name: tool.effect for tool in user},
        }
        self.stateful = all(
            effect is not None for effects in self._effects.values() for effect in effects.values()
        )

    def schema(self, requestor: Requestor, tool: str) -> Schema | None:
        """What the tool takes; None where the requestor has no such tool."""
        return self._schemas[requestor].get(tool)

    def effect(self, requestor: Requestor, tool: str) -> Effect:
        """The tool's `x-effect`; None where it has none, or there is no such tool."""
        return self._effects[requestor].get(tool)

    def names(self, requestor: Requestor) -> Sequence[str]:
        """The tools that the requestor has, in the order of their file."""
        return tuple(self._schemas[requestor])

    def key(self, requestor: Requestor, tool: str, arguments: Mapping[str, Any]) -> str | None:
        """The canonical form of a call's arguments; None where JSON cannot hold them."""
        schema = self.schema(requestor, tool)
        try:
            return canonical(arguments if schema is None else schema.meant(arguments))
        except (ValueError, RecursionError):
            return None
