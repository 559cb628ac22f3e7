"""Which items of a task can never be satisfied, and why. No rule: rules share it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.implies import never_true
from cm2dsl.lint.scopes import scopes_of


def contradicts(item: ir.Item) -> bool:
    """Whether an item's own check keeps it from ever being satisfied.

    A judge may still pass what a check on words leaves open, so that an `ask` saves the item.
    """
    if item.expr is None or item.ask is not None or item.kind == "never":
        return False
    return never_true(item.expr)


def ends_turn(item: ir.Item) -> bool:
    """Whether an item is satisfied at the last step of its turn at the earliest.

    That is so of every kind but `item`, and of a check that wants the closing reply (`replied`).
    """
    return item.kind != "item" or (item.expr is not None and _wants_the_end(item.expr))


def _wants_the_end(check: ir.Check) -> bool:
    if isinstance(check, ir.And):
        return any(_wants_the_end(part) for part in check.of)
    if isinstance(check, ir.Or):
        return all(_wants_the_end(part) for part in check.of)
    return isinstance(check, ir.Replied)


def waits_for_the_end(task: ir.Task, scope: str, item: ir.Item) -> list[str]:
    """The full names that an item waits for, and that are satisfied too late for it.

    In a turn that is what ends the turn itself. An item of the task scope can wait for the end of
    every turn but the last, and for no end of its own scope.
    """
    ends = {scope}
    if scope == DIALOGUE:
        ends |= {turn.name for turn in task.turns[-1:]}
    scopes = scopes_of(task)
    late = []
    for name in item.after:
        turn, _, short = name.partition(".")
        awaited = next((one for one in scopes.get(turn, ()) if one.name == short), None)
        if turn not in ends or awaited is None:
            continue
        # Over a whole dialogue `replied` is true at the end of each turn, and others follow.
        own = awaited.kind != "item" if turn == DIALOGUE else ends_turn(awaited)
        if own:
            late.append(name)
    return late


class Dead(Struct, frozen=True):
    """The items that no dialogue satisfies, and the turns that never come.

    `items` are full names, each with what it fails for: its own name, or that of what it waits for.
    `turns` have the item that keeps their gate shut; their items are in `items` too.
    """

    items: Mapping[str, str]
    turns: Mapping[str, str]


def never_satisfied(task: ir.Task) -> Dead:
    """What in a task is out of reach."""
    dead: dict[str, str] = {}
    turns: dict[str, str] = {}
    shut: str | None = None
    for scope, items in scopes_of(task).items():
        if shut is not None and scope != DIALOGUE:
            turns[scope] = shut
            dead |= {f"{scope}.{item.name}": shut for item in items}
            continue
        waiting = True
        while waiting:
            names = {f"{scope}.{item.name}": item for item in items}
            found = {
                name: reason
                for name, item in names.items()
                if name not in dead and (reason := _reason(task, scope, item, dead)) is not None
            }
            dead |= found
            waiting = bool(found)
        gates = (f"{scope}.{item.name}" for item in items if item.strict)
        shut = shut or next((name for name in gates if name in dead), None)
    return Dead(dead, turns)


def _reason(task: ir.Task, scope: str, item: ir.Item, dead: Mapping[str, str]) -> str | None:
    if contradicts(item) or waits_for_the_end(task, scope, item):
        return f"{scope}.{item.name}"
    return next((name for name in item.after if name in dead), None)
