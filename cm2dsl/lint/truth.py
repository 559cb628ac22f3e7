"""Checks that are the same of every dialogue, or true wherever another is, by the table of what
their parts may be.

No rule: rules share it. The parts of a check are counts of calls and things that are so or not. A
count goes from 0 to one more than any check asks for; beyond that nothing changes. Rows of the
table that no dialogue has are left out: no pattern has more calls than a wider one, a result, an
order of calls or a mention needs its call, and nothing is so without what it implies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from math import prod

from msgspec.structs import replace

from cm2dsl import ir
from cm2dsl.lint.implies import counts, implies, narrower, never_true

MOST = 512
"""Rows of a table that are looked at; a check whose table has more is not decided."""

Row = Mapping[ir.Check, int]
"""For each pattern the number of its calls, for anything else whether it is so (0 or 1)."""


def constant(check: ir.Check) -> bool | None:
    """Whether the check is true of every dialogue (True) or of none (False).

    None where it depends on the dialogue, or where the table is too long.
    """
    found: bool | None = None
    for row in _rows(check) or ():
        now = _value(check, row)
        if found is not None and now != found:
            return None
        found = now
    return found


def follows(one: ir.Check, other: ir.Check) -> bool:
    """Whether `other` is true after every step after which `one` is.

    False where that is not so, or where the table is too long to tell.
    """
    if implies(one, other):
        return True
    rows = _rows(one, other)
    return rows is not None and all(_value(other, row) for row in rows if _value(one, row))


def _rows(*checks: ir.Check) -> Iterator[Row] | None:
    """The rows that dialogues may have in the table of some checks; None for too many of them."""
    atoms = list(dict.fromkeys(atom for check in checks for atom in _atoms(check)))
    patterns = list(dict.fromkeys(pattern for atom in atoms for pattern in _patterns(atom)))
    others = [atom for atom in atoms if not isinstance(atom, ir.Called)]
    bounds = [
        number or 0 for atom in atoms if isinstance(atom, ir.Called) for number in counts(atom)
    ]
    top = max(bounds, default=0) + 1
    numbers = [range(1 if never_true(one) else top + 1) for one in patterns]
    if 2 ** len(others) * prod(map(len, numbers)) > MOST:
        return None
    wider = _wider(patterns)
    needed = [(one, other) for one, other in permutations(others, 2) if implies(one, other)]
    rows = (
        dict(zip([*patterns, *others], values, strict=True))
        for values in product(*numbers, *([range(2)] * len(others)))
    )
    return (row for row in rows if _possible(row, [*wider, *needed], others))


def _atoms(check: ir.Check) -> Iterator[ir.Check]:
    if isinstance(check, ir.And | ir.Or):
        for part in check.of:
            yield from _atoms(part)
    elif isinstance(check, ir.Not):
        yield from _atoms(check.of)
    else:
        yield check


def _patterns(atom: ir.Check) -> Iterator[ir.Called]:
    """The patterns that an atom is about, without counts."""
    if isinstance(atom, ir.Called):
        yield _uncounted(atom)
    needed = _needed(atom)
    if needed is not None:
        yield needed


def _uncounted(call: ir.Called) -> ir.Called:
    return replace(call, count=None)


def _needed(atom: ir.Check) -> ir.Called | None:
    """The pattern of which there must be a call where the atom is true."""
    if isinstance(atom, ir.Before):
        return _uncounted(atom.first)
    return _uncounted(atom.call) if isinstance(atom, ir.Result | ir.ReplyMentions) else None


def _wider(patterns: Sequence[ir.Called]) -> list[tuple[ir.Check, ir.Check]]:
    """Pairs of patterns, the second one met by every call that meets the first."""
    return [
        (one, other)
        for one in patterns
        for other in patterns
        if one is not other and narrower(one, other)
    ]


def _possible(
    row: Row, wider: Sequence[tuple[ir.Check, ir.Check]], others: Sequence[ir.Check]
) -> bool:
    if any(row[one] > row[other] for one, other in wider):
        return False
    for atom in others:
        needed = _needed(atom)
        if needed is not None and row[atom] and not row[needed]:
            return False
    return True


def _value(check: ir.Check, row: Row) -> bool:
    if isinstance(check, ir.And):
        return all(_value(part, row) for part in check.of)
    if isinstance(check, ir.Or):
        return any(_value(part, row) for part in check.of)
    if isinstance(check, ir.Not):
        return not _value(check.of, row)
    if not isinstance(check, ir.Called):
        return bool(row[check])
    least, most = counts(check)
    number = row[_uncounted(check)]
    return number >= (least or 0) and (most is None or number <= most)
