"""What the tools answer, as far as the spec alone can say it.

A call that was recorded in the task is answered as it was; the order of calls does not count here.
What a backend would make of any other call cannot be known without running it, and a spec's code
is not run to look at the spec. So such a call gets an error, and where checks look at results, a
second dialogue is held in which it gets an empty object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cm2dsl import ir
from cm2dsl.checks import same
from cm2dsl.trajectory import Call, Step, Trajectory

ERROR = '{"error": "no answer"}'
EMPTY = "{}"

OTHERWISE = (ERROR, EMPTY)
"""What a call is answered that was not recorded: one world each."""


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
        return self._otherwise, None


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


def looks_at_results(task: ir.Task) -> bool:
    """Whether a check of the task can tell one result from another."""
    items = (*task.items, *(item for turn in task.turns for item in turn.items))
    return any(_looks(item.expr) for item in items if item.expr is not None)


def _looks(check: ir.Check) -> bool:
    match check:
        case ir.And() | ir.Or():
            return any(_looks(part) for part in check.of)
        case ir.Not():
            return _looks(check.of)
        case ir.Called():
            return check.outcome != "any"
        case ir.Before():
            return any(one.outcome != "any" for one in (check.first, check.second))
        case _:
            return isinstance(check, ir.Result | ir.ReplyMentions)


def named_tools(task: ir.Task, tools: Sequence[ir.Tool]) -> list[ir.Tool]:
    """The agent's tools that the task's checks are about, in the spec's order.

    Of a check on any tool, and on any of several, the first stands for all.
    """
    known = [tool.name for tool in tools]
    names: set[str] = set()
    for item in (*task.items, *(item for turn in task.turns for item in turn.items)):
        for call in _calls(item.expr) if item.expr is not None else ():
            if call.by == "user":
                continue
            if call.tool is not None:
                names.add(call.tool)
            else:
                some = [name for name in known if call.tools is None or name in call.tools]
                names |= set(some[:1])
    return [tool for tool in tools if tool.name in names]


def _calls(check: ir.Check) -> Iterator[ir.Called]:
    match check:
        case ir.And() | ir.Or():
            for part in check.of:
                yield from _calls(part)
        case ir.Not():
            yield from _calls(check.of)
        case ir.Called():
            yield check
        case ir.Before():
            yield from (check.first, check.second)
        case ir.Result() | ir.ReplyMentions():
            yield check.call
        case _:
            return
