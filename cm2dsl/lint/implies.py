"""Whether one check is true wherever another is. No rule: rules share it."""

from __future__ import annotations

from cm2dsl import ir


def implies(one: ir.Check, other: ir.Check) -> bool:
    """Whether `other` is true after every step after which `one` is.

    Only what follows from their form is found: False means that nothing is known.
    """
    if one == other:
        return True
    if isinstance(other, ir.And):
        return all(implies(one, part) for part in other.of)
    if isinstance(one, ir.Or):
        return all(implies(part, other) for part in one.of)
    if isinstance(one, ir.Not) and isinstance(other, ir.Not):
        return implies(other.of, one.of)
    if isinstance(one, ir.And) and any(implies(part, other) for part in one.of):
        return True
    if isinstance(other, ir.Or):
        return any(implies(one, part) for part in other.of)
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
    return False


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
        return counts(check)[0] is not None and _meets_none(check)
    if isinstance(check, ir.Result | ir.ReplyMentions):
        return _meets_none(check.call)
    if isinstance(check, ir.Before):
        return _meets_none(check.first)
    if not isinstance(check, ir.And):
        return False
    parts = _parts(check)
    return any(never_true(part) for part in parts) or any(
        _exclude(one, other) for one in parts for other in parts if one is not other
    )


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


def _meets_none(call: ir.Called) -> bool:
    """Whether no call can meet the constraints of a pattern: one argument, two values."""
    wanted: dict[ir.Path, ir.Value | None] = {}
    for part in call.where:
        if part.op != "==" or part.tolerance is not None or None in part.path:
            continue
        if part.negated:
            continue
        if part.path in wanted and _differ(wanted[part.path], part.value):
            return True
        wanted[part.path] = part.value
    return any(
        part.negated
        and part.op == "=="
        and part.tolerance is None
        and part.path in wanted
        and wanted[part.path] == part.value
        for part in call.where
    )


def _differ(one: ir.Value | None, other: ir.Value | None) -> bool:
    """Whether two values are surely not equal: two constants that are not."""
    both = isinstance(one, ir.Constant) and isinstance(other, ir.Constant)
    return both and one != other
