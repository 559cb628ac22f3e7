"""Whether two versions of a task credit every dialogue alike: proven, refuted, or not known.

Trajectory credit compares R, turn credit every R_t, step credit every A_s of every group.

R and R_t are settled scope by scope. For R this loses nothing: with `unreached zero` R is a sum of
R_t / L, and a dialogue may end with any turn and satisfy no task-scope item; so, going through the
turns in order, the first one whose share differs somewhere makes R differ there. The same goes for
`mask` where `at` and the gates are the same. Where neither is so, whole dialogues are searched.

Some shortcuts lose nothing either. A dialogue that violates a veto of both versions earns nothing
in both, so those vetoes hold. Without penalties, and with the same vetoes and gates, R_t is a sum
of shares over the forms that flip, and forms with equal shares add the same to both sums. Whether a
form flips is a conjunction of conditions on the verdicts in it; conjunctions that are not the same
are linearly independent, on the dialogues in which nothing but the verdicts of one of them holds
too. So if the sums differ at all, they do where only the verdicts of one form with unequal shares
hold. Where verdicts imply each other there may be no such dialogue, and all of them are searched.

In step credit, A_s is affine in the shares b_c of the group, so for `scale none` a rollout's A_s is
the mean over the group of what it would get in a group of two with each: two rollouts tell versions
apart if any group does. For `scale std` they are equal where forms and shares are; and in a group
of two every spread is 0 or 1/2, so such a group refutes both scales or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cm2dsl.diff.forms import needed, shares, unequal, variables
from cm2dsl.diff.search import WORK, Space, dialogues, longest_chain, rows, waited_for
from cm2dsl.diff.spaces import gates_before, guesses_of, in_turns, spaces_of
from cm2dsl.diff.table import CLOSE, Dialogue, Outcome, Side, Table, outcome

BOUND = 100_000
"""Dialogues that are tried for one scope at most."""

REFINED = 10_000
"""Dialogues that are tried at most for one that is smaller than one that is known."""

LIKELY = 12
"""Items whose verdicts are tried first, at most."""

Level = Literal["trajectory", "turn", "step"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`verdict` of one level. `group` is the smallest group that shows a difference: one rollout,
    or for step credit two. `tried` dialogues were compared, of at most `of`: no search was needed
    where it is 0, and what is left out of a search would show nothing. `ends`: it is unknown
    because the versions end dialogues at different turns.
    """

    verdict: Literal["same", "differs", "unknown"]
    group: tuple[Dialogue, ...] = ()
    tried: int = 0
    of: int = 0
    ends: bool = False


SAME = Finding("same")

Value = Callable[[int, Outcome], Sequence[float | None]]
"""What credit is compared by, of version 0 or 1."""


def trajectory(table: Table, bound: int = BOUND) -> Finding:
    """Whether R is the same for every dialogue."""
    before, after = table.sides
    if before.at == after.at and _same_ends(table) and _same_gates(table):
        scales = [(float(t in before.at),) * 2 for t in range(table.turns + 1)]
    elif all(side.unreached == "zero" or table.turns <= 1 for side in table.sides):
        scales = [
            tuple((t in side.at) / len(side.at) for side in table.sides)  # type: ignore[misc]
            for t in range(table.turns + 1)
        ]
    else:
        return _whole(table, _reward, bound)
    found = [_scope(table, t, scale, bound) for t, scale in enumerate(scales)]
    shown = [one for one in found if one.group and differ(table, _reward, one.group[0])]
    if not shown and any(one.group for one in found):
        return _whole(table, _reward, bound)
    return joined(shown or found)


def turn(table: Table, bound: int = BOUND) -> Finding:
    """Whether every R_t is the same for every dialogue."""
    before, after = table.sides
    zero = before.unreached == after.unreached == "zero"
    if table.turns <= 1 or zero or (_same_ends(table) and _same_gates(table)):
        scales = [(float(t in before.at), float(t in after.at)) for t in range(table.turns + 1)]
        return joined([_scope(table, t, scale, bound) for t, scale in enumerate(scales)])
    return _whole(table, turn_value(table), bound)


def _reward(number: int, found: Outcome) -> Sequence[float | None]:
    return [found.reward]


def turn_value(table: Table) -> Value:
    """R_t of the scopes that carry reward; one that does in one version alone counts there as 0."""
    both = table.sides[0].at & table.sides[1].at

    def value(number: int, found: Outcome) -> Sequence[float | None]:
        at = table.sides[number].at
        return [
            worth if t in both else (worth or 0.0) if t in at else 0.0
            for t, worth in enumerate(found.worth)
        ]

    return value


def differ(table: Table, value: Value, dialogue: Dialogue) -> bool:
    """Whether a dialogue is worth something else in the two versions."""
    before, after = (value(number, outcome(table, number, dialogue)) for number in (0, 1))
    return any(apart(one, other) for one, other in zip(before, after, strict=True))


def apart(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > CLOSE


def _same_ends(table: Table) -> bool:
    """Whether turns that were not reached count alike; of the first turn it does not matter."""
    return table.turns <= 1 or table.sides[0].unreached == table.sides[1].unreached


def _same_gates(table: Table) -> bool:
    before, after = (side.gates for side in table.sides)
    return all(before.get(t) == after.get(t) for t in range(table.turns - 1))


def joined(found: Sequence[Finding]) -> Finding:
    """The smallest difference; else what is not known; else that all is the same."""
    tried, of = sum(one.tried for one in found), sum(one.of for one in found)
    differing = [one for one in found if one.verdict == "differs"]
    if differing:
        first = min(differing, key=lambda one: size(one.group))
        return replace(first, tried=tried, of=of)
    unknown = any(one.verdict == "unknown" for one in found)
    ends = any(one.ends for one in found)
    return Finding("unknown" if unknown else "same", (), tried, of, ends)


def size(group: Sequence[Dialogue]) -> tuple[int, ...]:
    """By what groups are smaller: events in one rollout, in all; steps."""
    events = [one.events for one in group]
    return max(events, default=0), sum(events), sum(sum(one.lengths) for one in group)


# --- one scope ----------------------------------------------------------------------------------


def _scope(table: Table, scope: int, scale: tuple[float, float], bound: int) -> Finding:
    """Whether R_t, scaled, is the same in both versions wherever scope t is reached."""
    worth = [shares(table, n, scope) if scale[n] else {} for n in (0, 1)]
    if not any(worth):
        return SAME
    others = unequal(worth[0], worth[1], scale)
    vetoes = [_vetoes(side, scope) if scale[n] else set() for n, side in enumerate(table.sides)]
    losses = [_losses(side, scope, scale[n]) for n, side in enumerate(table.sides)]
    alike = vetoes[0] == vetoes[1] and _close(losses[0], losses[1])
    gates = [gates_before(table, side, scope) for side in table.sides]
    if alike and not others and gates[0] == gates[1]:
        return SAME
    forced = vetoes[0] & vetoes[1] if all(scale) else set()

    def value(number: int, found: Outcome) -> Sequence[float | None]:
        return [(found.worth[scope] or 0.0) * scale[number]]

    if alike and not losses[0] and gates[0] == gates[1]:
        # Those of the fewest verdicts come first, and any of them shows it.
        needs = tuple(needed(others)[:LIKELY])
        spaces = [
            replace(space, needs=needs)
            for need in needs
            for space in spaces_of(table, scope, need, forced)
        ]
        likely = [
            replace(space, timed=frozenset(), needs=(n,))
            for n in needs
            for space in spaces_of(table, scope, n, forced)
        ]
        found = first(table, spaces, value, bound, likely)
        used = variables({*worth[0], *worth[1]})
        if found.verdict == "differs" or not any(used.issuperset(pair) for pair in table.implied):
            return found
    cone = {*worth[0], *worth[1]}
    roles = vetoes[0] ^ vetoes[1] | {*losses[0], *losses[1]}
    spaces = spaces_of(table, scope, variables(cone) | roles, forced)
    found = first(table, spaces, value, bound, guesses_of(table, scope, cone, roles, forced))
    return doubted(table, found) if scope == table.turns and gates[0] != gates[1] else found


def doubted(table: Table, found: Finding) -> Finding:
    """What is found where the versions end the dialogue at different turns.

    A verdict that is given when the dialogue has ended is then another one in each version, which
    one variable cannot say: nothing is proven by it.
    """
    if found.verdict == "same" and any(map(table.by_its_end, range(len(table.variables)))):
        return replace(found, verdict="unknown", ends=True)
    return found


def _vetoes(side: Side, scope: int) -> set[int]:
    pairs = zip(side.nodes, side.scope, strict=True)
    return {node.variable for node, own in pairs if own == scope and node.veto}


def _losses(side: Side, scope: int, scale: float) -> dict[int, float]:
    """Variable -> what its violation takes off."""
    found: dict[int, float] = {}
    for node, own in zip(side.nodes, side.scope, strict=True):
        if own == scope and node.penalty and scale:
            found[node.variable] = found.get(node.variable, 0.0) + node.penalty * scale
    return found


def _close(before: dict[int, float], after: dict[int, float]) -> bool:
    return before.keys() == after.keys() and all(
        abs(before[one] - after[one]) <= CLOSE for one in before
    )


# --- search -------------------------------------------------------------------------------------


def first(
    table: Table,
    spaces: Sequence[Space],
    value: Value,
    bound: int,
    guesses: Sequence[Space] = (),
) -> Finding:
    """The first dialogue that is worth something else in the two versions.

    Where `guesses` have one, only smaller ones are looked for, and not for long.
    """
    guess: Dialogue | None = None
    for tried, dialogue in enumerate(dialogues(table, guesses, WORK // 8)):
        if tried >= REFINED or dialogue is None:
            break
        if differ(table, value, dialogue):
            guess = dialogue
            break
    tried = 0
    for dialogue in dialogues(table, spaces, WORK if guess is None else WORK // 8):
        if guess is not None and (
            dialogue is None or tried >= REFINED or dialogue.size >= guess.size
        ):
            break
        if dialogue is None or tried >= bound:
            return Finding("unknown", (), tried, rows(table, spaces))
        tried += 1
        if differ(table, value, dialogue):
            return Finding("differs", (dialogue,), tried, rows(table, spaces))
    if guess is not None:
        return Finding("differs", (guess,), tried, rows(table, spaces))
    return Finding("same", (), tried, rows(table, spaces))


def _whole(table: Table, value: Value, bound: int) -> Finding:
    """The same over whole dialogues, however many turns they have."""
    chains = [longest_chain(table, t) for t in range(table.turns + 1)]
    everything = range(len(table.variables))
    spaces = [
        Space(
            tuple(max(chains[t], chains[-1]) for t in range(count)),
            (),
            tuple(one for one in everything if in_turns(table, one, count)),
            frozenset(waited_for(table, table.turns)),
        )
        for count in range(1, max(table.turns, 1) + 1)
    ]
    found = first(table, spaces, value, bound)
    return found if _same_gates(table) else doubted(table, found)
