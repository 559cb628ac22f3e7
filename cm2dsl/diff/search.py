"""Dialogues in order of size, until one tells two versions apart or none is left.

A `Space` says which verdicts may hold and how long turns may get. How long is enough: an item flips
in its turn if, for each link of its chain, the verdict holds at least that many steps before the
turn ends. No chain is longer than N items, so verdicts that hold earlier than N steps before the
end may as well hold N steps before it, and turns of N steps show all that longer ones do. Step
credit looks at one step s, with what holds before it and what flips from it on; the same holds on
both sides of s, so 2N.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import combinations, product
from math import prod

from cm2dsl.diff.closing import closed
from cm2dsl.diff.table import Dialogue, Side, Table

WORK = 4_000_000
"""How much is tried at most: a set of verdicts counts once, a dialogue played EVALUATED times, each
for every verdict of the table. So the bound is some seconds, and the same on every machine."""

EVALUATED = 4


@dataclass(frozen=True, slots=True)
class Space:
    """`longest` has the most steps of each turn that is played. Verdicts `forced` always hold,
    `free` ones may; only for those in `timed` does it matter since when. Where `needs` are given,
    all verdicts of one of them hold."""

    longest: tuple[int, ...]
    forced: tuple[int, ...]
    free: tuple[int, ...]
    timed: frozenset[int]
    needs: tuple[frozenset[int], ...] = ()

    def lengths(self) -> Iterator[tuple[int, ...]]:
        return product(*(range(1, most + 1) for most in self.longest))

    def rows(self, table: Table) -> int:
        """How many dialogues there are at most."""
        return sum(
            prod(len(_since(table, self, one, lengths)) for one in self.forced)
            * prod(1 + len(_since(table, self, one, lengths)) for one in self.free)
            for lengths in self.lengths()
        )


def rows(table: Table, spaces: Sequence[Space]) -> int:
    """How many dialogues spaces have at most; 0 where counting the kinds would take too long."""
    cost = len(table.variables) * sum(prod(space.longest) for space in spaces)
    return sum(space.rows(table) for space in spaces) if cost <= WORK // 8 else 0


def _since(table: Table, space: Space, variable: int, lengths: tuple[int, ...]) -> range:
    one = table.variables[variable]
    if one.closed or variable not in space.timed:
        return range(1)
    return range(sum(lengths) if one.scope >= table.turns else lengths[one.scope])


def dialogues(table: Table, spaces: Iterable[Space], work: int = WORK) -> Iterator[Dialogue | None]:
    """Every dialogue of the spaces that there may be: those with the fewest events first, then the
    shortest.

    A verdict that would change nothing by holding is left out, unless another implies it. After
    so much `work`, None comes last: there may be more.
    """
    found = _dialogues(table, spaces, work)
    later: list[tuple[tuple[int, int], int, Dialogue]] = []
    for number, one in enumerate(found):
        if one is None:
            yield None
            return
        dialogue, space = one
        while later and later[0][0] <= dialogue.size:
            yield heappop(later)[2]
        whole = closed(table, dialogue, space.timed) if table.implied else dialogue
        if whole.size == dialogue.size:
            yield whole
        elif whole.size > dialogue.size:
            heappush(later, (whole.size, number, whole))
        # Smaller: what is broken by choice was implied, so it has come before.
    while later:
        yield heappop(later)[2]


_Cores = Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
"""What must be chosen together, and what may be chosen with it."""


def _cores(space: Space, kept: Set[int]) -> _Cores:
    if not space.needs:
        return [((), space.free)]
    there = {*space.free, *space.forced}
    return [
        (
            tuple(one for one in space.free if one in need and one not in kept),
            tuple(one for one in space.free if one not in need),
        )
        for need in space.needs
        if need <= there | kept
    ]


def _chosen(cores: _Cores, count: int) -> Iterator[tuple[int, ...]]:
    """So many free verdicts that are not as usual, with all that is needed."""
    seen: set[tuple[int, ...]] = set()
    for own, others in cores:
        if count < len(own):
            continue
        for more in combinations(others, count - len(own)):
            chosen = tuple(sorted((*own, *more)))
            if chosen not in seen:
                seen.add(chosen)
                yield chosen


def _dialogues(
    table: Table, spaces: Iterable[Space], work: int
) -> Iterator[tuple[Dialogue, Space] | None]:
    """Every dialogue, as if no verdict implied another; None where the work is used up."""
    cost = max(len(table.variables), 1)
    shapes = sorted(
        ((lengths, space) for space in spaces for lengths in space.lengths()),
        key=lambda shape: (sum(shape[0]), shape[0]),
    )
    uses = _uses(table)
    kept = {one for one, variable in enumerate(table.variables) if variable.kept}
    least = {id(space): len(set(space.forced) - kept) for _, space in shapes}
    largest = max((least[id(space)] + len(space.free) for _, space in shapes), default=-1)
    cores = {id(space): _cores(space, kept) for _, space in shapes}
    for events in range(largest + 1):
        for lengths, space in shapes:
            if events < least[id(space)]:
                continue
            work -= len(cores[id(space)])
            for chosen in _chosen(cores[id(space)], events - least[id(space)]):
                work -= cost
                if work < 0:
                    yield None
                    return
                usual = kept.intersection(space.free)
                held = (*space.forced, *sorted(usual.symmetric_difference(chosen)))
                if not _tells(uses, set(chosen) - kept, frozenset(held)):
                    continue
                if space.needs and not any(need.issubset(held) for need in space.needs):
                    continue
                steps = [_since(table, space, variable, lengths) for variable in held]
                for since in product(*steps):
                    work -= EVALUATED * cost
                    yield Dialogue(lengths, dict(zip(held, since, strict=True)), events), space


_Uses = Mapping[int, Sequence[Set[int]]]


def _uses(table: Table) -> _Uses:
    """Variable -> sets of variables; where all of one hold, it may matter that the variable does.

    It matters to a gate, a veto and a penalty by itself; else only if one of its items can flip.
    """
    found: dict[int, list[Set[int]]] = {}
    for side in table.sides:
        needs: dict[int, frozenset[int]] = {}
        for index in side.order:
            node = side.nodes[index]
            needs[index] = frozenset({node.variable}).union(*(needs[one] for one in node.after))
            alone = node.strict or node.veto or node.penalty
            found.setdefault(node.variable, []).append(set() if alone else needs[index])
    return found


def _tells(uses: _Uses, chosen: Iterable[int], held: Set[int]) -> bool:
    """Whether the dialogue would be another without any of the chosen verdicts."""
    return all(any(needed <= held for needed in uses[one]) for one in chosen)


def longest_chain(table: Table, scope: int) -> int:
    """The items of the longest chain of `after` that ends in a scope, in either version.

    In the task scope, chains may begin in turns.
    """
    return max((_longest(table, side, scope) for side in table.sides), default=1)


def _longest(table: Table, side: Side, scope: int) -> int:
    depth: dict[int, int] = {}
    for index in side.order:
        others = side.nodes[index].after
        if scope < table.turns:
            others = tuple(other for other in others if side.scope[other] == side.scope[index])
        depth[index] = 1 + max((depth[other] for other in others), default=0)
    return max((depth[index] for index in depth if side.scope[index] == scope), default=1)


def waited_for(table: Table, scope: int) -> set[int]:
    """The variables of which it matters to a scope since when they hold, and not only that they do.

    An item of the same turn waits for them; or one of the task scope, if that is the scope.
    """
    return {
        side.nodes[other].variable
        for side in table.sides
        for index, node in enumerate(side.nodes)
        for other in node.after
        if side.scope[index] == side.scope[other] or side.scope[index] == scope == table.turns
    }
