"""What an item pays in a turn in which the agent does nothing. No rule: rules share it."""

from __future__ import annotations

from cm2dsl import ir


def guard_of(item: ir.Item) -> str | None:
    """The word of an item that takes instead of giving, `veto` or `penalty`; None for any other."""
    if item.veto:
        return "veto"
    return "penalty" if item.penalty else None


def without_weight(guard: str) -> str:
    """What to do about a guard that is paid for."""
    return f"take the weight away: a {guard} needs none"


def pays_idle(item: ir.Item) -> bool:
    """Whether the item is satisfied, by its check alone, in a turn that calls and says nothing."""
    if item.expr is None or item.after:
        return False
    held = _idle(item.expr, item.ask is not None)
    return held is False if item.kind == "never" else held is True


def _idle(check: ir.Check, judged: bool) -> bool | None:
    """True, false, or None where that is open: what a judge or the user may decide."""
    if isinstance(check, ir.Called):
        return None if check.by == "user" else _counts_none(check.count)
    if isinstance(check, ir.Before):
        return None if check.first.by == "user" else False
    if isinstance(check, ir.Result):
        return None if check.call.by == "user" else False
    if isinstance(check, ir.Not):
        inner = _idle(check.of, judged)
        return None if inner is None else not inner
    if isinstance(check, ir.And | ir.Or):
        parts = [_idle(one, judged) for one in check.of]
        deciding = isinstance(check, ir.Or)
        if deciding in parts:
            return deciding
        return None if None in parts else not deciding
    if isinstance(check, ir.Replied):
        return False
    return None if judged else False


def _counts_none(count: ir.Count | None) -> bool:
    """Whether no call at all is as many as wanted."""
    if count is None:
        return False
    return count.op == "at_most" or count.times == 0
