"""What the tools answer, as far as the spec alone can say it.

A call that was recorded in the task is answered as it was; the order of calls does not count here.
What a backend would make of any other call cannot be known without running it, and a spec's code
is not run to look at the spec. So such a call gets an error, and where checks look at results, a
second dialogue is held in which it gets an empty object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cm2dsl import ir
from cm2dsl.checks import same
from cm2dsl.trajectory import Call, Step, Trajectory

OTHERWISE = ('{"error":"%s has no answer to this"}', "{}")
"""What a call is answered that was not recorded: one world each. `%s` is the tool."""


class Answers:
    """The results of one world: recorded ones, and `otherwise` for every other call."""

    def __init__(self, recorded: Sequence[Call], otherwise: str) -> None:
        self._recorded = recorded
        self._otherwise = otherwise

    def call(self, tool: str, arguments: Mapping[str, Any], number: int) -> Step:
        """A step that makes the call, with its result."""
        found = self._result(tool, arguments)
        return Step(calls=(Call(f"c{number}", tool, arguments, "", *found),))

    def _result(self, tool: str, arguments: Mapping[str, Any]) -> tuple[str, bool | None]:
        for one in self._recorded:
            if one.tool == tool and one.result is not None and same(one.arguments, arguments):
                return one.result, one.failed
        return self._otherwise.replace("%s", json.dumps(tool, ensure_ascii=False)[1:-1]), None


def recorded_calls(dialogues: Sequence[Trajectory], task: str, row: ir.Row | None) -> list[Call]:
    """The calls in the recordings of a task; where it has rows, in those of the row."""
    names = {"", task, f"{task}/{row.key}" if row is not None else task}
    return [
        call
        for one in dialogues
        if one.task in names
        for turn in one.turns
        for step in turn.steps
        for call in step.calls
    ]
