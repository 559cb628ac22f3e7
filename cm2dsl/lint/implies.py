"""Whether one check is true wherever another is. No rule: rules share it."""

from __future__ import annotations

from cm2dsl import ir
from cm2dsl.checks import fold_value
from cm2dsl.lint.arguments import meets_none

MOST = 40_000
"""Pairs of atoms that are held against each other; of checks with more only what is alike counts.

Every part of one may have to be held against every part of the other, and specs that are written
by a program have checks of thousands.
"""


def implies(one: ir.Check, other: ir.Check) -> bool:
    """Whether `other` is true after every step after which `one` is.

    Only what follows from their form is found: False means that nothing is known.
    """
    if _size(one) * _size(other) > MOST:
        return _alike(one, other)
    return _implies(one, other)


def _size(check: ir.Check) -> int:
    """How many atoms a check has."""
    if isinstance(check, ir.And | ir.Or):
        return sum(map(_size, check.of))
    return _size(check.of) if isinstance(check, ir.Not) else 1


def _alike(one: ir.Check, other: ir.Check) -> bool:
    """`implies` of large checks, by the parts that are the same in both."""
    if isinstance(one, ir.Or):
        return set(one.of) <= (set(other.of) if isinstance(other, ir.Or) else {other})
    known = set(one.of) if isinstance(one, ir.And) else {one}
    if isinstance(other, ir.And):
        return set(other.of) <= known
    return not known.isdisjoint(other.of if isinstance(other, ir.Or) else {other})


def _implies(one: ir.Check, other: ir.Check) -> bool:
    if one == other:
        return True
    if isinstance(other, ir.And):
        return all(_implies(one, part) for part in other.of)
    if isinstance(one, ir.Or):
        return all(_implies(part, other) for part in one.of)
    if isinstance(one, ir.Not) and isinstance(other, ir.Not):
        return _implies(other.of, one.of)
    if isinstance(one, ir.And) and any(_implies(part, other) for part in one.of):
        return True
    if isinstance(other, ir.Or):
        return any(_implies(one, part) for part in other.of)
    return _follows(one, other)


def _follows(one: ir.Check, other: ir.Check) -> bool:
    """The same of two checks that are no `and`, `or` or `not`."""
    if isinstance(one, ir.Called):
        return isinstance(other, ir.Called) and _counted(one, other)
    if isinstance(one, ir.Before):
        return isinstance(other, ir.Called) and _counted(one.first, other)
    if isinstance(one, ir.Result) and isinstance(other, ir.Result):
        return one.has == other.has and narrower(one.call, other.call)
    if isinstance(one, ir.Result | ir.ReplyMentions) and isinstance(other, ir.Called):
        return other.outcome == "any" and _counted(one.call, other)
    if isinstance(one, ir.ReplyContains) and isinstance(other, ir.ReplyContains):
        return one.ignoring == other.ignoring and _says(one.value, other.value, one.ignoring)
    return False


def _says(one: ir.Value, other: ir.Value, ignoring: str) -> bool:
    """Whether every reply with the one text has the other in it, as replies are searched."""
    if not (isinstance(one, ir.Constant) and isinstance(other, ir.Constant)):
        return False
    if not (isinstance(one.value, str) and isinstance(other.value, str)):
        return False
    wanted = fold_value(other.value, ignoring)
    return wanted != "" and wanted in fold_value(one.value, ignoring)


def _counted(one: ir.Called, other: ir.Called) -> bool:
    """Whether so many calls of the one pattern are as many of the other as it wants."""
    least, most = counts(one)
    wanted, allowed = counts(other)
    if wanted is not None and (least is None or least < wanted or not narrower(one, other)):
        return False
    return allowed is None or (most is not None and most <= allowed and narrower(other, one))


def counts(call: ir.Called) -> tuple[int | None, int | None]:
    """The least and the most calls that it takes; None where there is no such bound."""
    if call.count is None:
        return 1, None
    times = call.count.times
    if call.count.op == "at_least":
        return times, None
    return (None, times) if call.count.op == "at_most" else (times, times)


def narrower(one: ir.Called, other: ir.Called) -> bool:
    """Whether every call that meets the one pattern meets the other too, counts aside."""
    if one.by != other.by or other.outcome not in ("any", one.outcome):
        return False
    if not _names(one, other) or any(part not in one.where for part in other.where):
        return False
    if other.exact and not (one.exact and len(one.where) == len(other.where)):
        return False
    return all(part in one.but for part in other.but)


def _names(one: ir.Called, other: ir.Called) -> bool:
    if other.tool is None and other.tools is None:
        return True
    wanted = {other.tool} if other.tools is None else set(other.tools)
    if one.tool is None and one.tools is None:
        return False
    return wanted.issuperset({one.tool} if one.tools is None else one.tools)


def never_true(check: ir.Check) -> bool:
    """Whether a check contradicts itself, so that it is true after no step.

    As `implies`, this looks at the form alone.
    """
    if isinstance(check, ir.Or):
        return all(never_true(part) for part in check.of)
    if isinstance(check, ir.Called):
        return counts(check)[0] is not None and meets_none(check)
    if isinstance(check, ir.Result | ir.ReplyMentions):
        return meets_none(check.call)
    if isinstance(check, ir.Before):
        return meets_none(check.first)
    if not isinstance(check, ir.And):
        return False
    parts = _parts(check)
    if any(never_true(part) for part in parts):
        return True
    if _size(check) ** 2 > MOST:
        wanted = set(parts)
        return any(isinstance(part, ir.Not) and part.of in wanted for part in parts)
    return any(_exclude(one, other) for one in parts for other in parts if one is not other)


def _parts(check: ir.And) -> list[ir.Check]:
    found: list[ir.Check] = []
    for part in check.of:
        found += _parts(part) if isinstance(part, ir.And) else [part]
    return found


def _exclude(one: ir.Check, other: ir.Check) -> bool:
    """Whether two checks are never true together."""
    if isinstance(other, ir.Not) and implies(one, other.of):
        return True
    if not (isinstance(one, ir.Called | ir.Result | ir.ReplyMentions | ir.Before)):
        return False
    if not isinstance(other, ir.Called) or counts(other)[1] is None:
        return False
    call = (
        one if isinstance(one, ir.Called) else one.first if isinstance(one, ir.Before) else one.call
    )
    least, most = counts(call)[0], counts(other)[1]
    return least is not None and most is not None and least > most and narrower(call, other)
