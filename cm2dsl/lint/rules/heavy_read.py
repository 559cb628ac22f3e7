from __future__ import annotations

from collections.abc import Iterator, Set

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.lint.wanted import reads, wants, writes

SHARE = 1 / 3
"""The share of its scope from which on a look alone pays well."""


class HeavyRead(Rule):
    """To look something up is the easy first step of a task that changes something. If it weighs
    as much as the change that waits for it, an agent that looks and stops earns a good part, and
    learns to stop. A look that no write waits for may be what the user asked for.
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
        """item searches { check called search(to == "Rome") }
item books { check called book(flight == "KF12") }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        looks, changes = reads(subject.spec), writes(subject.spec)
        for placed in subject.placed():
            item = placed.item
            if item.weight < SHARE or not _is_read(item, looks):
                continue
            if any(one.weight > item.weight for one in placed.items):
                continue
            name = f"{placed.scope}.{item.name}"
            wrote = [one for one in placed.items if name in one.after and _pays(one, changes)]
            if wrote:
                message = f"`{item.name}`, a read, weighs as much as `{wrote[0].name}`, a write"
                if item.weight > wrote[0].weight:
                    message = f"`{item.name}`, a read, weighs more than `{wrote[0].name}`, a write"
                help = "give the write more weight: it is what the user wants"
                yield Finding(placed.node.span, message, help)


def _is_read(item: ir.Item, tools: Set[str]) -> bool:
    """Whether an item is satisfied by a look alone."""
    return isinstance(item.expr, ir.Called | ir.Result) and _pays(item, tools)


def _pays(item: ir.Item, tools: Set[str]) -> bool:
    """Whether an item has weight for a call of one of these tools."""
    return item.kind != "never" and item.weight > 0 and wants(item.expr, tools)
