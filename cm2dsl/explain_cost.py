"""`cm2c explain --cost`: what judging a spec's rollouts takes, before a model is called.

What is predicted and how is said in `cm2dsl.lint.cost`. A server that keeps the beginnings of
prompts reads only what is new in each: the instructions and tools once, the dialogue as it grows,
and each item's own criterion. That is reckoned here as if it forgot nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cm2dsl import ir
from cm2dsl.compiler import analyse
from cm2dsl.lint.cost import Cost, Prompt, Size, cost_of
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lower.anchors import Recordings
from cm2dsl.report.words import counted
from cm2dsl.testing.columns import columns

HEAD = ("item", "calls", "prompt tokens", "its own")


@dataclass(frozen=True, slots=True)
class Predicted:
    """The cost of a rollout of a task, of which there are so many rows; `least` calls an item."""

    task: ir.Task
    cost: Cost
    rows: int
    least: Mapping[str, int]
    recorded: bool

    @property
    def fresh(self) -> int:
        """Tokens of its prompts that no other prompt of it begins with."""
        return fresh(self.cost.prompts).tokens

    @property
    def shared(self) -> float:
        """The share of all its prompts' tokens that a server may have in its cache."""
        return 1 - self.fresh / self.cost.tokens if self.cost.tokens else 0.0


def predict(spec: ir.Spec, recordings: Mapping[str, Recordings]) -> list[Predicted]:
    """What each task of a spec takes that has anything to ask. `recordings` are by file."""
    found = []
    for task in spec.tasks:
        known = recordings.get(task.reference or "")
        cost = cost_of(spec, task, known)
        if cost.prompts:
            rows = 1 if task.rows is None else len(task.rows)
            recorded = known is not None and bool(known.of_task(task.name))
            found.append(Predicted(task, cost, rows, _least(spec, task), recorded))
    return found


def _least(spec: ir.Spec, task: ir.Task) -> dict[str, int]:
    """The fewest calls of each item in a dialogue that comes to its turn.

    None where a check may decide it, or what it comes after may leave it unasked; else the votes
    that make a majority, or those that come first.
    """
    judge = spec.judge
    votes = judge.votes // 2 + 1 if judge.first is None else judge.first
    return {
        f"{scope}.{item.name}": 0 if item.expr is not None or item.after else votes
        for scope, items in scopes_of(task).items()
        for item in items
        if item.ask is not None
    }


def fresh(prompts: Sequence[Prompt]) -> Size:
    """What of the prompts of one rollout stands in no other at the same place from the beginning.

    The items of a turn share its dialogue, which goes on with the next turn's. What an item alone
    is shown, such as the agent's thoughts, stands behind that.
    """
    if not prompts:
        return Size()
    shared: dict[str, Size] = {}
    for one in prompts:
        scope = one.item.partition(".")[0]
        known = shared.get(scope, one.dialogue)
        shared[scope] = min(known, one.dialogue, key=lambda size: size.letters)
    total = prompts[0].fixed + max(shared.values(), key=lambda size: size.letters)
    for one in prompts:
        base = shared[one.item.partition(".")[0]]
        extra = Size(one.dialogue.letters - base.letters, one.dialogue.han - base.han)
        total += extra + one.criterion
    return total


def cost_text(path: Path) -> str:
    """The prediction for a spec, as tables by task and item. Raises CompileError."""
    found = analyse(path)
    if found.compiled is None:
        return f"{path} is a file of templates: nothing is asked"
    spec = found.compiled.spec
    tasks = predict(spec, found.recordings)
    if not tasks:
        return f"{path}: no item has an `ask`: no judge is needed"
    return "\n\n".join([*map(_task_text, tasks), _summary(tasks)])


def _task_text(one: Predicted) -> str:
    cost = one.cost
    rows = f", {counted(one.rows, 'row')}" if one.task.rows is not None else ""
    long = "its longest recording" if one.recorded else "what its user says: it has no recording"
    lines: list[tuple[str, ...]] = [HEAD]
    for prompt in cost.prompts:
        calls = _range(one.least[prompt.item], cost.votes)
        own = f"{prompt.criterion.tokens:,}"
        lines.append((prompt.item, calls, f"{prompt.size.tokens:,}", own))
    least = sum(one.least[prompt.item] for prompt in cost.prompts)
    total = ("a rollout", _range(least, cost.calls), f"{cost.tokens:,}", "")
    table = columns([*lines, total], " rrr")
    rule = "-" * max(map(len, table))
    body = [table[0], rule, *table[1:-1], rule, table[-1]]
    head = f"task {one.task.name}{rows}, as long as {long}"
    share = f"{one.shared:.0%} of that stands at the beginning of an earlier prompt"
    return "\n".join([head, *body, share])


def _summary(tasks: Sequence[Predicted]) -> str:
    dialogues = sum(one.rows for one in tasks)
    calls = sum(one.cost.calls * one.rows for one in tasks)
    tokens = sum(one.cost.tokens * one.rows for one in tasks)
    new = sum(one.fresh * one.rows for one in tasks)
    share = f"{1 - new / tokens:.0%} shared"
    return (
        f"{counted(dialogues, 'dialogue')}, one a row: up to {counted(calls, 'call')}, "
        f"{tokens:,} prompt tokens\n"
        f"{new:,} of them are new to a server that keeps prefixes ({share})\n"
        "tokens are estimates: one a Chinese letter, one for four others"
    )


def _range(least: int, most: int) -> str:
    return f"{most:,}" if least == most else f"{least:,}–{most:,}"
