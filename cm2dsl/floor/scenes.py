"""What the policies act in: the scenes of a task, one a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.floor.answers import OTHERWISE, Answers, recorded_calls
from cm2dsl.floor.arguments import arguments_for
from cm2dsl.floor.policies import STEPS, Scene
from cm2dsl.floor.sight import Sight
from cm2dsl.floor.words import recited
from cm2dsl.reward.instance import Instance
from cm2dsl.trajectory import Trajectory


class Desk(Struct, frozen=True):
    """The agent's tools, with the arguments that each is called with: see `Scene`."""

    tools: Sequence[ir.Tool]
    needed: Mapping[str, Mapping[str, Any]]
    every: Mapping[str, Mapping[str, Any]]
    reads: Sequence[str]

    @classmethod
    def of(cls, tools: Sequence[ir.Tool]) -> Desk:
        return cls(
            tools,
            {tool.name: arguments_for(tool, every=False) for tool in tools},
            {tool.name: arguments_for(tool, every=True) for tool in tools},
            [tool.name for tool in tools if tool.effect != "write"],
        )


def scenes(
    task: ir.Task, desk: Desk, dialogues: Sequence[Trajectory], most: int | None
) -> Iterator[tuple[Instance, Scene]]:
    """The scenes of a task, of at most so many of its rows; `dialogues` are its recordings."""
    sight = Sight.of(task)
    named = sight.named(desk.tools)
    worlds = OTHERWISE if sight.success else OTHERWISE[:1]
    more = any(sight.more_than([*desk.needed[name]], [*desk.every[name]]) for name in desk.needed)
    for row in spread(task.rows, most) if task.rows is not None else [None]:
        users = users_of(task, row)
        recorded = recorded_calls(dialogues, task.name, row) if sight.results else ()
        yield (
            Instance(f"{task.name}/{row.key}" if row is not None else task.name, task, row),
            Scene(
                users=users,
                words=[_words(task, number, user) for number, user in enumerate(users)],
                needed=desk.needed,
                every=desk.every if more else desk.needed,
                reads=desk.reads,
                named=named,
                worlds=[Answers(recorded, otherwise) for otherwise in worlds],
            ),
        )


def spread(rows: Sequence[ir.Row], most: int | None) -> list[ir.Row]:
    """At most so many rows, evenly spread from the first to the last."""
    if most is None or len(rows) <= most:
        return list(rows)
    if most == 1:
        return [rows[0]]
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def users_of(task: ir.Task, row: ir.Row | None) -> tuple[str, ...]:
    """What the user says, turn by turn.

    A simulated user says what it was told, as often as items wait for each other, so that no item
    is left waiting for want of a turn.
    """
    if task.simulated is None:
        return tuple(ir.fill(turn.user, row) for turn in task.turns)
    waits = sum(1 for item in task.items if item.after)
    return (ir.fill(task.simulated, row),) * min(1 + waits, STEPS)


def _words(task: ir.Task, number: int, user: str) -> str:
    own = task.turns[number].items if number < len(task.turns) else ()
    return recited([*own, *task.items], task.rows, user)
