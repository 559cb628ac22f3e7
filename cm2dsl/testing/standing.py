"""How a reward comes about: every item with its weight, its verdict, and whether it counts."""

from __future__ import annotations

from collections.abc import Mapping

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward import satisfaction
from cm2dsl.reward.checklist import Checklist
from cm2dsl.reward.satisfaction import NEVER, Track
from cm2dsl.reward.verdict import Decision, Verdict
from cm2dsl.testing.columns import columns
from cm2dsl.testing.excerpt import step_name, step_of
from cm2dsl.testing.expect import number
from cm2dsl.testing.play import NOBODY, Played
from cm2dsl.testing.subject import Task

Windows = Mapping[str, tuple[int, int]]
"""Of each item, by full name: the steps of the dialogue from which it is ready, and at which it is
satisfied; NEVER where that does not happen."""


def windows(played: Played) -> Windows:
    """When the items of a scored dialogue were ready, and when they were satisfied."""
    checklist = played.card.plan.checklist
    if checklist is None:
        return {}
    return {
        f"{name}.{item}": found
        for name, own in zip(checklist.names, _tracks(checklist, played), strict=True)
        for item, found in own.windows.items()
    }


def _tracks(checklist: Checklist, played: Played) -> list[Track]:
    return satisfaction.track(checklist, played.scored.verdicts, "")


def standing(played: Played, task: Task) -> list[str]:
    """The reward and its turns, and in each a line an item."""
    checklist = played.card.plan.checklist
    if checklist is None:
        return ["no turn carries reward"]
    found = windows(played)
    lines = [_reward(played)]
    scopes = dict(task.scopes)
    worth = dict(zip(checklist.names, played.scored.turn_rewards, strict=True))
    order = [turn.name for turn in task.task.turns]
    for scope, value in worth.items():
        lines += ["", f"{scope}: {_worth(scope, value, played, order)}"]
        head = ("weight", "verdict", "by", "satisfied", "item")
        rows = [head, *(_row(scope, item, played, found, task) for item in scopes[scope])]
        lines += [f"  {line}" for line in columns(rows, "r")] if scopes[scope] else []
        if scope in order[:-1] and any(item.strict for item in scopes[scope]):
            lines.append(f"  {_gate(order.index(scope), played)}")
    return lines


def _reward(played: Played) -> str:
    scored = played.scored
    names = played.card.plan.checklist.names if played.card.plan.checklist is not None else ()
    if scored.reward is not None:
        counted = [
            f"{name} {number(worth)}"
            for name, worth in zip(names, scored.turn_rewards, strict=True)
            if name in scored.at and worth is not None
        ]
        mean = f": the mean of {', '.join(counted)}" if len(counted) > 1 else ""
        return f"the reward is {number(scored.reward)}{mean}"
    errors = [n for n, one in scored.decisions.items() if one.verdict is Verdict.ERROR]
    if errors:
        why = ", ".join(f"`{name}`" for name in errors)
        return f"there is no reward: the judge's error on {why} masks the dialogue"
    return "there is no reward: no turn that carries one was reached"


def _worth(scope: str, worth: float | None, played: Played, order: list[str]) -> str:
    said = "no worth" if worth is None else number(worth)
    if scope in order and order.index(scope) >= played.card.reached:
        said += ", not reached"
    return said if scope in played.scored.at else f"{said}, carries no reward under `assign`"


def _row(
    scope: str, item: ir.Item, played: Played, found: Windows, task: Task
) -> tuple[str, str, str, str, str]:
    name = f"{scope}.{item.name}"
    decision = played.scored.decisions[name]
    roles = [f"after {_short(other, scope)}" for other in item.after]
    roles += ["strict"] if item.strict else []
    roles += ["veto"] if item.veto else []
    roles += [f"penalty {item.penalty:g}"] if item.penalty else []
    kind = f"{item.kind} " if item.kind != "item" else ""
    shown = f"{kind}{item.name}" + (f" ({', '.join(roles)})" if roles else "")
    verdict = "open" if decision.by == NOBODY else decision.verdict.value
    satisfied = _satisfied(scope, item, decision, played, found, task)
    return f"{item.weight:.2f}", verdict, decision.by, satisfied, shown


def _satisfied(
    scope: str, item: ir.Item, decision: Decision, played: Played, found: Windows, task: Task
) -> str:
    name = f"{scope}.{item.name}"
    ready, flip = found[name]
    turns = [turn.name for turn in task.task.turns]
    if flip < NEVER:
        return f"at {step_name(step_of(DIALOGUE, turns, played.facts, flip))}"
    if decision.by == "gate":
        return "no"
    if decision.step is not None:
        late = [other for other in item.after if found[other][1] + 1 == ready]
        return f"waits for {', '.join(_when(other, scope, found) for other in late)}"
    if decision.verdict in (Verdict.PASS, Verdict.ERROR):
        return "no"
    if item.veto:
        return "violated, takes all"
    return f"violated, takes {item.penalty:g}" if item.penalty else "no"


def _when(other: str, scope: str, found: Windows) -> str:
    """What an item waits for; one that is satisfied in the last step is so a step too late."""
    return _short(other, scope) + (" (a step too late)" if found[other][1] < NEVER else "")


def _short(name: str, scope: str) -> str:
    """An item's name as it is written in a scope."""
    home, _, item = name.partition(".")
    return item if home == scope else name


def _gate(turn: int, played: Played) -> str:
    if played.closed == turn:
        return "the gate to the next turn closes"
    if played.card.reached > turn + 1:
        return "the gate to the next turn is open"
    return "the gate was not come to" if played.card.reached <= turn else "the dialogue ends here"
