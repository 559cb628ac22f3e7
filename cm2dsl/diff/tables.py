"""The table of two versions of a task, once it is known which verdicts they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cm2dsl import ir
from cm2dsl.diff.deciders import Decider
from cm2dsl.diff.implied import implications
from cm2dsl.diff.table import Node, Side, Table, Variable
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.plan import credit_task

Deciders = Sequence[Sequence[Decider]]
"""Who decides each scope's items: the turns', then those of the task scope."""


def scopes_of(task: ir.Task) -> list[tuple[str, tuple[ir.Item, ...]]]:
    """The turns, and last the task scope, with their items."""
    return [*((turn.name, turn.items) for turn in task.turns), (DIALOGUE, task.items)]


def table_of(before: ir.Task, after: ir.Task, deciders: tuple[Deciders, Deciders]) -> Table:
    """The table; items of a scope with one decider have one verdict.

    The two tasks have equally many turns, of which each is the other's.
    """
    known: dict[tuple[int, Decider], int] = {}
    sides = tuple(
        _side(task, own, known) for task, own in zip((before, after), deciders, strict=True)
    )
    variables = tuple(Variable(scope, one.closed, one.kept, one.late) for scope, one in known)
    table = Table(len(before.turns), variables, (sides[0], sides[1]))
    pairs = implications(known)
    if any(sides[0].gates.get(t) != sides[1].gates.get(t) for t in range(table.turns - 1)):
        # The dialogue may end elsewhere, and what is decided by its end is then another verdict.
        pairs = frozenset(pair for pair in pairs if not any(table.by_its_end(v) for v in pair))
    return replace(table, implied=pairs)


def _side(task: ir.Task, deciders: Deciders, known: dict[tuple[int, Decider], int]) -> Side:
    scopes = scopes_of(task)
    places = [(name, item) for name, items in scopes for item in items]
    index = {f"{name}.{item.name}": number for number, (name, item) in enumerate(places)}
    nodes: list[Node] = []
    scope_of: list[int] = []
    for scope, ((_, items), own) in enumerate(zip(scopes, deciders, strict=True)):
        for item, one in zip(items, own, strict=True):
            nodes.append(
                Node(
                    variable=known.setdefault((scope, one), len(known)),
                    weight=item.weight,
                    after=tuple(index[name] for name in item.after),
                    strict=item.strict,
                    veto=item.veto,
                    penalty=item.penalty,
                )
            )
            scope_of.append(scope)
    names = [name for name, _ in scopes]
    _, at = credit_task(task, judged=True)
    return Side(
        tuple(nodes),
        tuple(scope_of),
        frozenset(names.index(name) for name in at),
        task.assign.unreached,
    )
