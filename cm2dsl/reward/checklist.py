"""The items of a task, as credit sees them: weights, and what waits for what."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from msgspec import Struct
from msgspec.structs import replace

from cm2dsl.diagnostic import suggest
from cm2dsl.ir import DIALOGUE

Key = tuple[int, str]
"""An item: the number of its scope, and its id there."""


_Index = Mapping[str, Sequence[Key]]


class CreditError(ValueError):
    """A task, or verdicts on it, of which credit makes no sense. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help


class CreditItem(Struct, frozen=True):
    """One criterion. Weights are relative; `after` and the roles are those of DESIGN §3.

    `after` names items by id, in the item's own turn first and then in earlier ones, or by
    `turn.item`. A task-scope item may wait for any item; no other item waits for those. `strict`
    ends the dialogue and changes no credit.
    """

    id: str
    weight: float = 1.0
    after: tuple[str, ...] = ()
    strict: bool = False
    veto: bool = False
    penalty: float = 0.0


class CreditTurn(Struct, frozen=True):
    name: str
    items: tuple[CreditItem, ...] = ()


class CreditTask(Struct, frozen=True):
    """A task's turns in order; `items` are task scope.

    A task without turns is one whose user is simulated: its dialogues have as many as they take.
    """

    turns: tuple[CreditTurn, ...]
    items: tuple[CreditItem, ...] = ()


class Checklist(Struct, frozen=True):
    """A task with its names resolved.

    The scopes are the task's turns and, where it has items of its own, the dialogue, which is the
    last: number `turns`. `order` has every item after all that it waits for.
    """

    turns: int
    names: tuple[str, ...]
    scopes: tuple[Mapping[str, CreditItem], ...]
    order: tuple[tuple[Key, tuple[Key, ...]], ...]

    def select(self, at: Collection[str] | None) -> tuple[int, ...]:
        """The numbers of the scopes that `at` names; None is all. Raises CreditError."""
        if at is None:
            return tuple(range(len(self.names)))
        for name in at:
            if name not in self.names:
                raise CreditError(f"the task has no turn `{name}`", suggest(name, self.names))
        if not at:
            raise CreditError("no turn carries reward", "name at least one turn, or leave `at` out")
        return tuple(t for t, name in enumerate(self.names) if name in at)


def resolve(task: CreditTask) -> Checklist:
    """The task's checklist.

    Raises CreditError for a task without turns, names that occur twice, weights or penalties out of
    range, a turn whose weights are all zero, and unknown, ambiguous or circular `after`.
    """
    if not task.turns and not task.items:
        raise CreditError("the task has no turns", "give it at least one, or task-scope items")
    turns = [*task.turns, *([CreditTurn(DIALOGUE, task.items)] if task.items else [])]
    names = tuple(turn.name for turn in turns)
    if any(turn.name == DIALOGUE for turn in task.turns):
        raise CreditError(f"a turn is named `{DIALOGUE}`, as the task scope is", "rename the turn")
    _check_unique("turns named", names)
    for turn in turns:
        _check_items(turn)
    index = _index(turns)
    waits = {
        (t, item.id): tuple(_find(name, t, item.id, turns, index) for name in item.after)
        for t, turn in enumerate(turns)
        for item in turn.items
    }
    try:
        order = tuple(TopologicalSorter(waits).static_order())
    except CycleError as error:
        circle = " after ".join(f"`{names[t]}.{item}`" for t, item in reversed(error.args[1]))
        raise CreditError(f"an item waits for itself: {circle}", "take one `after` away") from None
    return Checklist(
        turns=len(task.turns),
        names=names,
        scopes=tuple(_scope(turn) for turn in turns),
        order=tuple((key, waits[key]) for key in order),
    )


def _check_unique(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CreditError(f"there are two {what} `{name}`", "rename one of them")
        seen.add(name)


def _check_items(turn: CreditTurn) -> None:
    _check_unique(f"items in turn `{turn.name}` named", [item.id for item in turn.items])
    for item in turn.items:
        place = f"item `{turn.name}.{item.id}`"
        if not 0 <= item.weight < math.inf:
            raise CreditError(f"{place} has the weight {item.weight}", "a weight is 0 or more")
        if not 0 <= item.penalty <= 1:
            raise CreditError(f"{place} has the penalty {item.penalty}", "a penalty is 0 to 1")
    if turn.items and not any(item.weight for item in turn.items):
        raise CreditError(
            f"the weights of turn `{turn.name}` are all zero", "give one of its items a weight"
        )


def _scope(turn: CreditTurn) -> dict[str, CreditItem]:
    """The items by id, with weights of at most 1: divided by a power of two, which is exact."""
    _, exponent = math.frexp(max((item.weight for item in turn.items), default=0.0))
    return {i.id: replace(i, weight=math.ldexp(i.weight, -exponent)) for i in turn.items}


def _index(turns: Sequence[CreditTurn]) -> dict[str, list[Key]]:
    """Every item under its id and under its full name."""
    index: dict[str, list[Key]] = {}
    for t, turn in enumerate(turns):
        for item in turn.items:
            index.setdefault(item.id, []).append((t, item.id))
            index.setdefault(f"{turn.name}.{item.id}", []).append((t, item.id))
    return index


def _find(name: str, t: int, item: str, turns: Sequence[CreditTurn], index: _Index) -> Key:
    """The item that `name` stands for in the `after` of an item of scope t."""
    found = [key for key in index.get(name, ()) if key[0] <= t]
    if (t, name) in found:
        return t, name
    if len(found) == 1:
        return found[0]
    message = f"`after` of `{turns[t].name}.{item}` names `{name}`, which is"
    if found:
        choices = ", ".join(f"`{turns[u].name}.{other}`" for u, other in found)
        raise CreditError(f"{message} ambiguous", f"write one of {choices}")
    visible = [f"{turn.name}.{other.id}" for turn in turns[: t + 1] for other in turn.items]
    raise CreditError(f"{message} no item of its turn or an earlier one", suggest(name, visible))
