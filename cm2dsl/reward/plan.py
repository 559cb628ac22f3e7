"""What can be worked out of a task before any dialogue is seen, once for each instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.checklist import Checklist, CreditItem, CreditTask, CreditTurn, resolve
from cm2dsl.reward.instance import Check, Instance
from cm2dsl.reward.worth import Worth, compiled


class PlannedItem(Struct, frozen=True):
    """An item to decide: `name` is its full name (`turn.item`), `check` its function, if any."""

    item: ir.Item
    name: str
    check: Check | None


class Plan(Struct, frozen=True):
    """How the dialogues of one instance are scored.

    `turns` and `dialogue` are the items to decide, by turn and of task scope; `unjudged` those left
    out for want of a judge. `task` is what credit sees of them, and `at` the turns that carry
    reward: none where nothing can be said of the task; `worth` is then None too.
    """

    instance: Instance
    turns: tuple[tuple[PlannedItem, ...], ...]
    dialogue: tuple[PlannedItem, ...]
    unjudged: tuple[str, ...]
    task: CreditTask
    at: tuple[str, ...]
    checklist: Checklist | None
    scopes: tuple[int, ...]
    worth: Worth | None


def plan_for(instance: Instance, checks: Mapping[str, Check], judged: bool) -> Plan:
    """The plan of an instance. `judged`: a judge decides `ask` items."""
    task = instance.task

    def planned(scope: str, items: Sequence[ir.Item]) -> tuple[PlannedItem, ...]:
        return tuple(
            PlannedItem(item, f"{scope}.{item.name}", checks[item.check])
            if item.check is not None
            else PlannedItem(item, f"{scope}.{item.name}", None)
            for item in items
            if judged or not needs_judge(item)
        )

    credited, at = credit_task(task, judged)
    checklist = resolve(credited) if at else None
    scopes = checklist.select(at) if checklist is not None else ()
    return Plan(
        instance=instance,
        turns=tuple(planned(turn.name, turn.items) for turn in task.turns),
        dialogue=planned(DIALOGUE, task.items),
        unjudged=() if judged else unjudged(task),
        task=credited,
        at=at,
        checklist=checklist,
        scopes=scopes,
        worth=compiled(checklist, scopes, task.assign.unreached) if checklist is not None else None,
    )


def needs_judge(item: ir.Item) -> bool:
    """Whether a judge may have to decide the item."""
    return item.ask is not None


def unjudged(task: ir.Task) -> tuple[str, ...]:
    """The full names of the items that a judge would have to decide."""
    scopes = [*((turn.name, turn.items) for turn in task.turns), (DIALOGUE, task.items)]
    return tuple(
        f"{scope}.{item.name}" for scope, items in scopes for item in items if needs_judge(item)
    )


def credit_task(task: ir.Task, judged: bool) -> tuple[CreditTask, tuple[str, ...]]:
    """The task as credit sees it, and the turns that carry reward.

    Unless `judged`, items that need a judge are left out, and so is a turn that they leave without
    weight. No turn may be left: nothing can be said about the task then without a judge.
    """
    left_out = set() if judged else set(unjudged(task))
    scopes = [*((turn.name, turn.items) for turn in task.turns), (DIALOGUE, task.items)]
    kept = {scope: _kept(scope, items, left_out) for scope, items in scopes}
    known = {f"{scope}.{item.name}" for scope in kept for item in kept[scope]}
    turns = tuple(
        CreditTurn(turn.name, _credit_items(kept[turn.name], known)) for turn in task.turns
    )
    items = _credit_items(kept[DIALOGUE], known)
    named = [*((turn.name, turn.items) for turn in turns), *([(DIALOGUE, items)] if items else [])]
    empty = {turn.name for turn in task.turns if not turn.items}
    at = tuple(
        name
        for name, counted in named
        if (counted or name in empty) and (task.assign.at is None or name in task.assign.at)
    )
    return CreditTask(turns, items), at


def _kept(scope: str, items: Sequence[ir.Item], left_out: set[str]) -> list[ir.Item]:
    """The items of a turn that count; none where what is left has no weight."""
    kept = [item for item in items if f"{scope}.{item.name}" not in left_out]
    return kept if any(item.weight > 0 for item in kept) else []


def _credit_items(items: Sequence[ir.Item], known: set[str]) -> tuple[CreditItem, ...]:
    """The items as credit sees them; what does not count is waited for by none."""
    return tuple(
        CreditItem(
            id=item.name,
            weight=item.weight,
            after=tuple(name for name in item.after if name in known),
            strict=item.strict,
            veto=item.veto,
            penalty=item.penalty,
        )
        for item in items
    )
