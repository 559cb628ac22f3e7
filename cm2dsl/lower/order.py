"""`after`: names resolved, cycles found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from cm2dsl import nodes
from cm2dsl.diagnostic import Log, suggest, used_here
from cm2dsl.lower.items import DraftItem


def resolve_after(
    turn: str, item: DraftItem, turns: Mapping[str, Sequence[DraftItem]], log: Log
) -> tuple[str, ...]:
    """The full names (`turn.item`) of what an item of `turn` comes after.

    `turns` are in order, with the task scope last. A bare name is an item of the same turn. An
    item may come after items of its own turn and of earlier turns; task scope, after any.
    """
    order = list(turns)
    found: list[str] = []
    for ref in item.after:
        related = used_here(item.via, ref.span)
        other = ref.turn.text if ref.turn is not None else turn
        if other not in turns:
            near = suggest(other, turns)
            message = f"there is no turn `{other}` in this task"
            log.error("E109", message, ref.span, near, related)
            continue
        names = [each.name.text for each in turns[other]]
        if ref.item.text not in names:
            message = f"there is no item `{ref.item.text}` in turn `{other}`"
            help = _elsewhere(ref, turns, names)
            log.error("E109", message, ref.item.span, help, related)
            continue
        if order.index(other) > order.index(turn):
            help = "an item can only come after items of its own turn or an earlier one"
            message = f"`{ref.text}` is decided after turn `{turn}` has ended"
            log.error("E305", message, ref.span, help, related)
            continue
        full = f"{other}.{ref.item.text}"
        if full not in found:
            found.append(full)
    return tuple(found)


def _elsewhere(
    ref: nodes.ItemRef, turns: Mapping[str, Sequence[DraftItem]], names: Sequence[str]
) -> str:
    near = suggest(ref.item.text, names)
    if near.startswith("did you"):
        return near
    for turn, items in turns.items():
        if any(item.name.text == ref.item.text for item in items):
            return f"did you mean `{turn}.{ref.item.text}`?"
    return near


def report_cycles(
    after: Mapping[str, Sequence[str]], items: Mapping[str, DraftItem], log: Log
) -> None:
    """Reports every item set whose `after` runs in a circle, each once."""
    graph = {name: list(others) for name, others in after.items()}
    while True:
        try:
            TopologicalSorter(graph).prepare()
            return
        except CycleError as error:
            path: list[str] = error.args[1]
            cycle = list(reversed(path))
        first = min(cycle[:-1], key=lambda name: items[name].name.span.start)
        turned = cycle[:-1][cycle.index(first) :] + cycle[: cycle.index(first)]
        shown = " after ".join(f"`{_short(name)}`" for name in [*turned, first])
        help = "none of them could ever be satisfied: take one `after` out"
        span = items[first].after[0].span
        related = used_here(items[first].via, span)
        log.error("E306", f"`after` runs in a circle: {shown}", span, help, related)
        for name in cycle:
            graph[name] = []


def _short(name: str) -> str:
    return name.split(".", 1)[1]
