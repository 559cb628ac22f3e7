"""Two versions of a task as two functions of one table of verdicts.

A variable is a verdict that both versions have in common: since which step of its scope it holds,
or that it never does. Verdicts are independent of each other but for those that imply another. A
node is an item of one version; several may look at one variable. The scopes are the turns, and
after them the dialogue; steps count over the whole dialogue from 0.

`Outcome` is what credit is made of, computed as cm2dsl.reward computes it: an item flips at the
first step from which it holds and at which all that it waits for has flipped before; the gate after
a turn lets the dialogue go on if the verdict of every `strict` item holds, flipped or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from itertools import accumulate
from typing import Literal

Unreached = Literal["zero", "mask"]

NEVER = 1 << 62
CLOSE = 1e-9
"""Numbers less far apart are the rounding of equal ones; weights are shares of at most 1."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A verdict in a scope. `closed`: it can hold from the scope's last step alone. `kept`: it does
    unless something happens (`never`, `always`). `late`: it is decided when the scope has ended,
    so that it may be another verdict where the scope ends elsewhere.
    """

    scope: int
    closed: bool = False
    kept: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """An item of one version: its variable, its share, and the nodes that it comes after."""

    variable: int
    weight: float
    after: tuple[int, ...] = ()
    strict: bool = False
    veto: bool = False
    penalty: float = 0.0


@dataclass(frozen=True)
class Side:
    """One version. `at` are the scopes that carry reward, `scope` has the scope of every node."""

    nodes: tuple[Node, ...]
    scope: tuple[int, ...]
    at: frozenset[int]
    unreached: Unreached = "zero"

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The nodes, each after all that it waits for."""
        waits = {number: node.after for number, node in enumerate(self.nodes)}
        return tuple(TopologicalSorter(waits).static_order())

    @cached_property
    def gates(self) -> Mapping[int, frozenset[int]]:
        """Scope -> the variables that must hold for the dialogue to go on after it."""
        found: dict[int, set[int]] = {}
        for node, scope in zip(self.nodes, self.scope, strict=True):
            if node.strict:
                found.setdefault(scope, set()).add(node.variable)
        return {scope: frozenset(held) for scope, held in found.items()}


@dataclass(frozen=True)
class Table:
    """`turns` are scripted; without them the user is simulated, and the dialogue is all there is.

    `implied` has pairs of variables, the second one of which holds wherever the first does, and no
    later; whatever is implied through another is there too.
    """

    turns: int
    variables: tuple[Variable, ...]
    sides: tuple[Side, Side]
    implied: frozenset[tuple[int, int]] = frozenset()

    def by_its_end(self, variable: int) -> bool:
        """Whether the verdict is given when the dialogue has ended, and not a turn."""
        one = self.variables[variable]
        return one.late and one.scope == self.turns


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The steps of each turn that takes place, and since which step each variable holds that does.

    `lengths` has one entry where the user is simulated. For a closed variable the step says
    nothing. `events` are the verdicts that something had to happen for: those that hold, and those
    of `kept` ones that do not.
    """

    lengths: tuple[int, ...]
    since: Mapping[int, int]
    events: int

    @property
    def size(self) -> tuple[int, int]:
        """By what dialogues are smaller."""
        return self.events, sum(self.lengths)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a dialogue comes to in one version.

    `reached` turns are played. `windows` has for each node the steps from which it is ready and at
    which it flips. `worth` has R_t for each scope, None where the turn is masked.
    """

    reached: int
    steps: int
    windows: list[tuple[int, int]]
    worth: list[float | None]
    reward: float | None


def outcome(table: Table, number: int, dialogue: Dialogue) -> Outcome:
    """The outcome of a dialogue in version 0 or 1."""
    side = table.sides[number]
    reached = _reached(table, side, dialogue)
    starts = [*accumulate(dialogue.lengths[:reached], initial=0)]
    windows: list[tuple[int, int]] = [(NEVER, NEVER)] * len(side.nodes)
    for index in side.order:
        scope = side.scope[index]
        if scope < table.turns and scope >= reached:
            continue
        node = side.nodes[index]
        start, end = _span(table, starts, scope)
        ready = start
        for other in node.after:
            flip = windows[other][1]
            ready = max(ready, flip + 1 if flip < NEVER else NEVER)
        held = _held(table, node.variable, dialogue, start, end)
        flip = max(ready, held) if held < NEVER else NEVER
        windows[index] = (ready, flip if flip < end else NEVER)
    worth = _worth(table, side, dialogue, starts, windows)
    counted = [value for t in sorted(side.at) if (value := worth[t]) is not None]
    reward = math.fsum(counted) / len(counted) if counted else None
    return Outcome(reached, starts[-1], windows, worth, reward)


def _reached(table: Table, side: Side, dialogue: Dialogue) -> int:
    """How many turns the gates let the dialogue come to."""
    for turn, length in enumerate(dialogue.lengths[:-1]):
        held = (dialogue.since.get(variable, NEVER) for variable in side.gates.get(turn, ()))
        if table.turns and any(since >= length for since in held):
            return turn + 1
    return len(dialogue.lengths)


def _span(table: Table, starts: list[int], scope: int) -> tuple[int, int]:
    return (starts[scope], starts[scope + 1]) if scope < table.turns else (0, starts[-1])


def _held(table: Table, variable: int, dialogue: Dialogue, start: int, end: int) -> int:
    """The step of the dialogue since which a variable holds."""
    since = dialogue.since.get(variable)
    if since is None:
        return NEVER
    step = end - 1 if table.variables[variable].closed else start + since
    return step if step < end else NEVER


def _worth(
    table: Table,
    side: Side,
    dialogue: Dialogue,
    starts: list[int],
    windows: list[tuple[int, int]],
) -> list[float | None]:
    reached = len(starts) - 1
    earned = [0.0] * (table.turns + 1)
    for index, node in enumerate(side.nodes):
        scope = side.scope[index]
        if scope < table.turns and scope >= reached:
            continue
        if windows[index][1] < NEVER:
            earned[scope] += node.weight
        if node.veto or node.penalty:
            start, end = _span(table, starts, scope)
            if _held(table, node.variable, dialogue, start, end) == NEVER:
                earned[scope] -= math.inf if node.veto else node.penalty
    gone = None if side.unreached == "mask" else 0.0
    return [
        gone if reached <= t < table.turns else max(0.0, worth) for t, worth in enumerate(earned)
    ]
