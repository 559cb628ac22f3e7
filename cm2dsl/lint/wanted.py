"""Which calls a check wants to be made. No rule: rules share it."""

from __future__ import annotations

from collections.abc import Set

from cm2dsl import ir
from cm2dsl.lint.implies import counts


def reads(spec: ir.Spec) -> frozenset[str]:
    """The agent's tools that look something up."""
    return frozenset(tool.name for tool in spec.tools if tool.effect == "read")


def writes(spec: ir.Spec) -> frozenset[str]:
    """The agent's tools that change something."""
    return frozenset(tool.name for tool in spec.tools if tool.effect == "write")


def wants(check: ir.Check | None, tools: Set[str]) -> bool:
    """Whether a check wants a call of one of these tools.

    What stands in a `not` is not wanted, and `any write` names no tool.
    """
    if isinstance(check, ir.And | ir.Or):
        return any(wants(part, tools) for part in check.of)
    if isinstance(check, ir.Before):
        return wants(check.first, tools)
    if isinstance(check, ir.Result):
        return wants(check.call, tools)
    if not isinstance(check, ir.Called) or check.by == "user" or counts(check)[0] in (None, 0):
        return False
    return check.tool in tools
