"""Which rollouts a run plays: instances by name and split, each so many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cm2.bundle import Bundle
from cm2dsl.diagnostic import suggest
from cm2dsl.reward.instance import Instance

Which = Literal["train", "heldout", "all"]


class SelectionError(ValueError):
    """There is nothing of that name to play. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Planned:
    """One rollout to play: its key has the seed, the instance's number in the spec and its own."""

    instance: Instance
    key: tuple[int, int, int]


def chosen(bundle: Bundle, names: Sequence[str], which: Which) -> list[Instance]:
    """The instances that are named, in the spec's order: `TASK` all rows of one, `TASK/ROW` one
    row; all where none is named. Of these, those of the split. Raises SelectionError."""
    every = list(bundle.by_id.values())
    tasks = {one.task.name for one in every}
    wanted: set[str] = set()
    for name in names:
        found = {one.id for one in every if name in (one.id, one.task.name)}
        if not found:
            task, slash, row = name.partition("/")
            if slash and task in tasks:
                rows = [one.row.key for one in every if one.task.name == task and one.row]
                what = f"task `{task}` has no row `{row}`" if rows else f"task `{task}` has no rows"
                raise SelectionError(what, suggest(row, rows) if rows else f"name it `{task}`")
            raise SelectionError(f"there is no task `{name}` in the spec", suggest(name, tasks))
        wanted |= found
    named = [one for one in every if not names or one.id in wanted]
    kept = [one for one in named if which == "all" or one.split == which]
    if not kept:
        missing = "held-out rows" if which == "heldout" else "training rows"
        of = "what is named" if names else f"`{bundle.spec.domain}`"
        raise SelectionError(f"{of} has no {missing}", "--split all plays all there are")
    return kept


def planned(bundle: Bundle, instances: Sequence[Instance], count: int, seed: int) -> list[Planned]:
    """`count` rollouts of each instance, in order. What one of them is does not depend on which
    others are played."""
    numbers = {id: number for number, id in enumerate(bundle.by_id)}
    return [
        Planned(one, (seed, numbers[one.id], sample))
        for one in instances
        for sample in range(count)
    ]
