"""What two small specs credit, by playing every dialogue step by step. Slow on purpose.

It shares nothing with `cm2dsl.diff` and `cm2dsl.reward`: no canonical forms, no cones, no order of
size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

from diff_specs import Small

Key = tuple[int, str, int]
"""A verdict: scope, kind and key of a check."""

Held = dict[Key, int]
"""Verdict -> the steps of its scope after which it is true, a bit a step."""


@dataclass(frozen=True)
class Played:
    """`worth` has R_t of the scopes that carry reward; None is a turn that is masked.

    `opened` has at each step what is open, as (scope, item, weight), and `flipped` what ever
    flipped.
    """

    reward: Fraction | None
    worth: tuple[Fraction | None, ...]
    opened: tuple[frozenset[tuple[int, str, int]], ...]
    flipped: frozenset[tuple[int, str]]


@cache
def _share(earned: int, total: int) -> Fraction:
    return Fraction(earned, total)


def play(spec: Small, lengths: tuple[int, ...], held: Held) -> Played:
    reached = len(lengths)
    for t in range(min(len(lengths), spec.turns) - 1):
        if any(one.strict and not held[t, one.kind, one.key] for one in spec.scopes[t]):
            reached = t + 1
            break
    steps = sum(lengths[:reached])
    satisfied: set[tuple[int, str]] = set()
    opened = []
    start = 0
    for t in range(reached):
        for s in range(start, start + lengths[t]):
            flips = set()
            open_now = set()
            for scope in dict.fromkeys([*([t] if spec.turns else []), spec.turns]):
                own = s if scope == spec.turns else s - start
                last = (steps if scope == spec.turns else lengths[t]) - 1
                for one in spec.scopes[scope]:
                    me = (scope, one.name)
                    if me in satisfied or any(ref not in satisfied for ref in one.after):
                        continue
                    open_now.add((scope, one.name, one.weight))
                    mask = held[scope, one.kind, one.key]
                    true = bool(mask) and own == last if one.kind != "item" else mask >> own & 1
                    if true:
                        flips.add(me)
            opened.append(frozenset(open_now))
            satisfied |= flips
        start += lengths[t]
    worth: dict[int, Fraction | None] = {}
    for scope, items in enumerate(spec.scopes):
        if reached <= scope < spec.turns:
            worth[scope] = Fraction(0) if spec.unreached == "zero" else None
            continue
        if not items:
            worth[scope] = Fraction(0)
            continue
        count = steps if scope == spec.turns else lengths[scope]
        violated = [one for one in items if not held[scope, one.kind, one.key] & ((1 << count) - 1)]
        earned = sum(one.weight for one in items if (scope, one.name) in satisfied)
        value = _share(earned, sum(one.weight for one in items))
        value -= sum((one.penalty for one in violated), Fraction(0))
        worth[scope] = Fraction(0) if any(one.veto for one in violated) else max(value, Fraction(0))
    counted = [value for t in spec.counted if (value := worth[t]) is not None]
    return Played(
        sum(counted, Fraction(0)) / len(counted) if counted else None,
        tuple(worth[t] for t in sorted(worth)),
        tuple(opened),
        frozenset(satisfied),
    )


def verdicts(spec: Small, other: Small) -> list[Key]:
    return sorted(
        {
            (scope, one.kind, one.key)
            for each in (spec, other)
            for scope, items in enumerate(each.scopes)
            for one in items
        }
    )


def dialogues(
    spec: Small, other: Small, longest: int, most: int
) -> Iterator[tuple[tuple[int, ...], Held, bool]]:
    """Every dialogue of up to `longest` steps a turn, with every verdict; and whether verdicts that
    do not go on holding are among them.

    Of verdicts at every step all 2^n are taken where they are at most `most`, else those that hold
    from a step on. A verdict that is given at the end is one bit. Verdicts on one call agree
    with each other; those by the dialogue's end need not where the versions end it apart.
    """
    keys = verdicts(spec, other)
    for count in range(1, max(spec.turns, 1) + 1):
        for lengths in product(range(1, longest + 1), repeat=count):
            shown = [key for key in keys if key[0] < count or key[0] == spec.turns]
            sizes = [lengths[k[0]] if k[0] < spec.turns else sum(lengths) for k in shown]
            cells = sum(n if key[1] == "item" else 1 for key, n in zip(shown, sizes, strict=True))
            free = 2**cells <= most
            choices = [
                (0, 1 << n - 1)
                if key[1] != "item"
                else range(1 << n)
                if free
                else [0, *(((1 << n) - 1) >> since << since for since in range(n))]
                for key, n in zip(shown, sizes, strict=True)
            ]
            rest = {key: 0 for key in keys if key not in shown}
            tied = {
                (key[0], key[2]): n
                for key, n in zip(shown, sizes, strict=True)
                if key[0] < spec.turns or same_ends(spec, other)
            }
            for masks in product(*choices):
                # A closed verdict of the dialogue is one bit, wherever the dialogue ends.
                held = dict(zip(shown, masks, strict=True)) | rest
                for key in shown:
                    if key[1] != "item" and held[key]:
                        held[key] = -1
                if all(possible(held, scope, key, n) for (scope, key), n in tied.items()):
                    yield lengths, held, free


def possible(held: Held, scope: int, key: int, n: int) -> bool:
    """Whether what is called in a scope of n steps can be what its verdicts say.

    A call that was made stays made: `item` holds from then on, `at_end` if it was made at all, and
    `always` if that was at once.
    """
    item, end, always = (held.get((scope, kind, key)) for kind in ("item", "at_end", "always"))
    whole = (1 << n) - 1
    if item is not None and (end is not None or always is not None):
        low = (item & -item).bit_length() - 1
        if item and item != whole >> low << low:
            return False
    if item is not None and end is not None and bool(item) != bool(end):
        return False
    return not always or (item in (None, whole) and end != 0)


def same_ends(spec: Small, other: Small) -> bool:
    """Whether the same verdicts let dialogues go on after each turn but the last."""
    gates = [
        {
            (t, one.kind, one.key)
            for t, items in enumerate(each.scopes[: max(each.turns - 1, 0)])
            for one in items
            if one.strict
        }
        for each in (spec, other)
    ]
    return gates[0] == gates[1]


@dataclass(frozen=True)
class Found:
    """Which levels differ, over verdicts that go on holding, and over all."""

    held: frozenset[str]
    all: frozenset[str]


def goes_on(lengths: tuple[int, ...], held: Held, turns: int) -> bool:
    for (scope, kind, _), mask in held.items():
        n = lengths[scope] if scope < min(turns, len(lengths)) else sum(lengths)
        if kind == "item" and mask:
            low = (mask & -mask).bit_length() - 1
            if mask != ((1 << n) - 1) >> low << low:
                return False
    return True


def exhaust(spec: Small, other: Small, longest: int, most: int = 1024, events: int = 99) -> Found:
    """The levels at which two specs credit some dialogue, or some group of two, otherwise.

    `events`: only dialogues in which at most so many verdicts are unusual: held, or broken.
    """
    differing: dict[bool, set[str]] = {True: set(), False: set()}
    rollouts: dict[bool, dict[object, tuple[Played, Played]]] = {True: {}, False: {}}
    both = set(spec.counted) & set(other.counted)
    for lengths, held, _ in dialogues(spec, other, longest, most):
        played = {key for key in held if key[0] < len(lengths) or key[0] == spec.turns}
        if sum(bool(held[key]) != (key[1] in ("never", "always")) for key in played) > events:
            continue
        one, two = play(spec, lengths, held), play(other, lengths, held)
        on = goes_on(lengths, held, spec.turns)
        if one.reward != two.reward:
            differing[on].add("trajectory")
        for t in {*spec.counted, *other.counted}:
            values = [
                each.worth[t] if t in both else (each.worth[t] or 0) if t in own.counted else 0
                for each, own in ((one, spec), (two, other))
            ]
            if values[0] != values[1]:
                differing[on].add("turn")
        key = (frozenset(_zipped(one.opened, two.opened)), one.flipped, two.flipped)
        rollouts[on].setdefault(key, (one, two))
    rollouts[False] |= rollouts[True]
    for on in (True, False):
        partners = {(one.flipped, two.flipped): (one, two) for one, two in rollouts[on].values()}
        if any(
            _step_differs(spec, other, mine, partner)
            for mine in rollouts[on].values()
            for partner in partners.values()
        ):
            differing[on].add("step")
    return Found(frozenset(differing[True]), frozenset(differing[True] | differing[False]))


def _zipped(one: tuple[object, ...], two: tuple[object, ...]) -> list[tuple[object, object]]:
    n = max(len(one), len(two))
    return list(
        zip([*one, *[None] * (n - len(one))], [*two, *[None] * (n - len(two))], strict=True)
    )


def _step_differs(
    spec: Small, other: Small, mine: tuple[Played, Played], partner: tuple[Played, Played]
) -> bool:
    for opened in set(_zipped(mine[0].opened, mine[1].opened)):
        credit = []
        for n, own in enumerate((spec, other)):
            total = 0.0
            for scope in own.counted:
                items = [one for one in opened[n] or () if one[0] == scope]
                weights = sum(weight for _, _, weight in items)
                if weights:
                    total += (
                        sum(
                            weight
                            * (
                                ((scope, name) in mine[n].flipped)
                                - ((scope, name) in partner[n].flipped)
                            )
                            / 2
                            for _, name, weight in items
                        )
                        / weights
                    )
            credit.append(total)
        if abs(credit[0] - credit[1]) > 1e-9:
            return True
    return False
