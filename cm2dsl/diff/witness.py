"""What `cm2 credit` reads: a dialogue of the table as a group of verdicts on one version.

So anyone can confirm a difference without this package's own arithmetic.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from cm2dsl import ir
from cm2dsl.diff.table import Dialogue, Table, outcome
from cm2dsl.reward.checklist import CreditItem
from cm2dsl.reward.credit import Level, RolloutCredit, Verdicts, assign
from cm2dsl.reward.plan import credit_task

Steps = list[dict[str, bool | None]]


@dataclass(frozen=True, slots=True)
class Witness:
    """One version's half of a counterexample: its task, its rollouts, and what they are
    credited."""

    task: ir.Task
    level: Level
    rollouts: tuple[Verdicts, ...]
    credit: tuple[RolloutCredit, ...]

    @property
    def line(self) -> dict[str, Any]:
        """A line of the file that `cm2 credit` reads."""
        task, _ = credit_task(self.task, judged=True)
        whole = {"items": [_item(item) for item in task.items]} if task.items else {}
        turns = [
            {"name": turn.name, "items": [_item(item) for item in turn.items]}
            for turn in task.turns
        ]
        rollouts = [
            {"turns": one.turns} | ({"dialogue": one.dialogue} if task.items else {})
            for one in self.rollouts
        ]
        return {"task": {"turns": turns} | whole, "rollouts": rollouts}

    @property
    def options(self) -> list[str]:
        """How `cm2 credit` is to read it."""
        assign = self.task.assign
        found = ["--level", self.level]
        found += ["--scale", assign.scale] if assign.scale != "none" else []
        found += ["--unreached", assign.unreached] if assign.unreached != "zero" else []
        return found + (["--at", ",".join(assign.at)] if assign.at is not None else [])

    @property
    def command(self) -> str:
        """A shell command that shows the credit."""
        line = shlex.quote(json.dumps(self.line, ensure_ascii=False))
        return f"printf '%s\\n' {line} | cm2 credit - {shlex.join(self.options)}"


def witness(
    table: Table, number: int, task: ir.Task, level: Level, group: Sequence[Dialogue]
) -> Witness:
    """The group as version 0 or 1, which is `task`, sees it."""
    rollouts = tuple(_verdicts(table, number, task, one) for one in group)
    credited, at = credit_task(task, judged=True)
    credit = assign(
        credited,
        rollouts,
        level=level,
        scale=task.assign.scale,
        unreached=task.assign.unreached,
        at=at,
    )
    return Witness(task, level, rollouts, tuple(credit))


def _verdicts(table: Table, number: int, task: ir.Task, dialogue: Dialogue) -> Verdicts:
    side = table.sides[number]
    lengths = dialogue.lengths[: outcome(table, number, dialogue).reached]
    scopes = [turn.items for turn in task.turns]
    starts = [*accumulate((len(items) for items in scopes), initial=0)]

    def steps(items: Sequence[ir.Item], start: int, count: int) -> Steps:
        held = []
        for index in range(start, start + len(items)):
            variable = side.nodes[index].variable
            since = dialogue.since.get(variable, count)
            held.append(count - 1 if table.variables[variable].closed and since < count else since)
        names = [item.name for item in items]
        return [
            {name: since <= s for name, since in zip(names, held, strict=True)}
            for s in range(count)
        ]

    if task.turns:
        turns = [
            steps(items, start, count)
            for items, start, count in zip(scopes, starts, lengths, strict=False)
        ]
    else:
        turns = [[{} for _ in range(count)] for count in lengths]
    return Verdicts(turns, steps(task.items, starts[-1], sum(lengths)) if task.items else [])


def _item(item: CreditItem) -> dict[str, Any]:
    found: dict[str, Any] = {"id": item.id, "weight": item.weight}
    found |= {"after": list(item.after)} if item.after else {}
    found |= {"strict": True} if item.strict else {}
    found |= {"veto": True} if item.veto else {}
    return found | ({"penalty": item.penalty} if item.penalty else {})
