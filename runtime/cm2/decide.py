"""What checks decide, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cm2.bundle import Check
from cm2.trajectory import Step, Trajectory, step_segments
from cm2.verdict import Decision, Evidence, Verdict
from cm2dsl import ir
from cm2dsl.checks import CallFact, Facts, ReplyFact, Scope
from cm2dsl.jsonl import JsonError, parse

CHECK = "check"


def turn_facts(trajectory: Trajectory, turn: int) -> Facts:
    """The calls and replies of one turn; its steps count from 0."""
    steps = trajectory.turns[turn].steps
    return _facts([(turn, number, step) for number, step in enumerate(steps)])


def dialogue_facts(trajectory: Trajectory) -> Facts:
    """The calls and replies of the whole dialogue; steps count on through the turns."""
    return _facts(
        [
            (number, s, step)
            for number, turn in enumerate(trajectory.turns)
            for s, step in enumerate(turn.steps)
        ]
    )


def _facts(steps: Sequence[tuple[int, int, Step]]) -> Facts:
    calls: list[CallFact] = []
    replies: list[ReplyFact] = []
    for position, (turn, number, step) in enumerate(steps):
        names: dict[str, list[str]] = {"tool_call": [], "tool_result": []}
        for segment in step_segments(step, turn, number):
            if segment.channel == "reply":
                replies.append(ReplyFact(segment.text, position, segment.name))
            names.setdefault(segment.channel, []).append(segment.name)
        results = iter(names["tool_result"])
        for call, name in zip(step.calls, names["tool_call"], strict=False):
            result = next(results) if call.result is not None else ""
            value = _json(call.result)
            calls.append(CallFact(call.tool, call.arguments, position, name, value, result))
    return Facts(tuple(calls), tuple(replies), len(steps))


def _json(text: str | None) -> Any:
    try:
        return parse(text) if text is not None else None
    except JsonError:
        return None


def run_check(item: ir.Item, check: Check, facts: Facts, row: ir.Row | None) -> Decision | None:
    """What the check decides, or None where it leaves the item to the judge.

    The check is a function of the dialogue up to a step. `item` holds from the first step at which
    it is true; `always`, `never` and `at_end` hold, if they do, from the scope's last step.
    """
    last = facts.steps - 1
    if last < 0:
        return Decision(Verdict.FAIL, CHECK)
    scopes = [Scope(facts, s) for s in range(facts.steps)]
    if item.kind == "at_end":
        scopes = scopes[-1:]
    undecided = False
    for scope in scopes:
        value = check(scope, row)
        undecided = undecided or value is None
        if item.kind == "item" and value is True:
            return _pass(scope, scope.last)
        if (item.kind == "always" and value is False) or (item.kind == "never" and value is True):
            return Decision(Verdict.FAIL, CHECK, _evidence(scope))
        if item.kind == "at_end" and value is True:
            return _pass(scope, last)
    if undecided:
        return None
    if item.kind in ("always", "never"):
        return _pass(scopes[-1], last)
    return Decision(Verdict.FAIL, CHECK, _evidence(scopes[-1]))


def _pass(scope: Scope, step: int) -> Decision:
    return Decision(Verdict.PASS, CHECK, _evidence(scope), step)


def _evidence(scope: Scope) -> tuple[Evidence, ...]:
    return tuple(Evidence(segment) for segment in scope.evidence)
