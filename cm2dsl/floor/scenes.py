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
from cm2dsl.walk import walk


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
) -> Iterator[tuple[Instance, list[Scene]]]:
    """The scenes of a task, those of a row together, of at most so many of its rows.

    `dialogues` are its recordings.
    """
    sight = Sight.of(task)
    named = sight.named(desk.tools)
    worlds = OTHERWISE if sight.success else OTHERWISE[:1]
    more = any(sight.more_than([*desk.needed[name]], [*desk.every[name]]) for name in desk.needed)
    for row in spread(task.rows, most) if task.rows is not None else [None]:
        recorded = recorded_calls(dialogues, task.name, row) if sight.results else ()
        yield (
            Instance(f"{task.name}/{row.key}" if row is not None else task.name, task, row),
            [
                Scene(
                    users=users,
                    words=[_words(task, number, user) for number, user in enumerate(users)],
                    needed=desk.needed,
                    every=desk.every if more else desk.needed,
                    reads=desk.reads,
                    named=named,
                    worlds=[Answers(recorded, otherwise) for otherwise in worlds],
                )
                for users in users_of(task, row)
            ],
        )


def spread(rows: Sequence[ir.Row], most: int | None) -> list[ir.Row]:
    """At most so many rows, evenly spread from the first to the last."""
    if most is None or len(rows) <= most:
        return list(rows)
    if most == 1:
        return [rows[0]]
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def users_of(task: ir.Task, row: ir.Row | None) -> list[tuple[str, ...]]:
    """What the user says, turn by turn, in every way that it may be tried.

    A simulated user says what it was told, as often as items wait for each other, so that no item
    is left waiting for want of a turn; and where calls are counted, as often as it takes to come to
    every count and past it, for a policy calls something in every turn.
    """
    if task.simulated is None:
        return [tuple(ir.fill(turn.user, row) for turn in task.turns)]
    waits = sum(1 for item in task.items if item.after)
    counts = [
        call.count.times
        for item in task.items
        for call in walk(item.expr, ir.Called)
        if call.count is not None
    ]
    lengths = {1 + waits, *range(1, max(counts) + 2 if counts else 1)}
    user = ir.fill(task.simulated, row)
    return [(user,) * length for length in sorted({min(length, STEPS) for length in lengths})]


def _words(task: ir.Task, number: int, user: str) -> str:
    own = task.turns[number].items if number < len(task.turns) else ()
    return recited([*own, *task.items], task.rows, user)
