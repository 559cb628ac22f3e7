from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject

SHARE = 1 / 3
"""The share of its turn from which on a look alone pays well."""


class HeavyRead(Rule):
    """To look something up is the easy first step of a task that changes something. If it weighs
    as much as the change, an agent that looks and stops earns a good part, and learns to stop.
    """

    code = "L405"
    name = "heavy-read"
    family = "reward"
    title = "a read that weighs as much as the write that it is for"
    bad = (
        Bad(
            """item searches weight 2 { check called search(to == "Rome") }
item books after searches { check called book(flight == "KF12") }"""
        ),
    )
    good = (
        """item searches { check called search(to == "Rome") }
item books weight 2 after searches { check called book(flight == "KF12") }""",
        """item searches weight 2 { check called search(to == "Rome") }
item presents after searches { check replied }
never books veto { check called book }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tools = subject.spec.tools if subject.spec is not None else ()
        effects = {tool.name: tool.effect for tool in tools}
        reads = {name for name, effect in effects.items() if effect == "read"}
        writes = {name for name, effect in effects.items() if effect == "write"}
        for placed in subject.placed():
            task, item = placed.task, placed.item
            turn = next((one for one in task.turns if one.name == placed.scope), None)
            others = [one for one in (turn.items if turn else task.items) if one != item]
            if item.weight < SHARE or any(one.weight > item.weight for one in others):
                continue
            wrote = [one for one in others if _rewards(one, writes)]
            if wrote and isinstance(item.expr, ir.Called) and _rewards(item, reads):
                message = f"`{item.name}`, a read, weighs as much as `{wrote[0].name}`, a write"
                if item.weight > wrote[0].weight:
                    message = f"`{item.name}`, a read, weighs more than `{wrote[0].name}`, a write"
                help = "give the write more weight: it is what the user wants"
                yield Finding(placed.node.span, message, help)


def _rewards(item: ir.Item, tools: set[str]) -> bool:
    """Whether an item has weight for a call of one of these tools."""
    return item.kind != "never" and item.weight > 0 and _wants(item.expr, tools)


def _wants(part: object, tools: set[str]) -> bool:
    """Whether a check wants such a call to be there; what stands in a `not` is not wanted."""
    if isinstance(part, ir.Called):
        count = part.count
        none = count is not None and (count.op == "at_most" or count.times == 0)
        return part.by == "agent" and part.tool in tools and not none
    if isinstance(part, tuple):
        return any(_wants(one, tools) for one in part)
    if isinstance(part, ir.Node) and not isinstance(part, ir.Not):
        return any(_wants(getattr(part, name), tools) for name in part.__struct_fields__)
    return False
