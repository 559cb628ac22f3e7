from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class InertItem(Rule):
    """An item of weight 0 that guards nothing and that nothing waits for changes no reward. If it
    asks a judge, each rollout pays for the answer.
    """

    code = "L108"
    name = "inert-item"
    family = "structure"
    title = "an item that changes no reward"
    bad = (
        Bad(
            """item searches { check called search }
item answers weight 0 { check replied }"""
        ),
    )
    good = (
        """item searches weight 0 { check called search }
item answers after searches { check replied }""",
        """item searches { check called search }
item answers weight 0 strict { check replied }
never books veto { check called book }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            task, item = placed.task, placed.item
            items = [*task.items, *(item for turn in task.turns for item in turn.items)]
            awaited = {name for one in items for name in one.after}
            if item.weight or item.strict or item.veto or item.penalty:
                continue
            if f"{placed.scope}.{item.name}" not in awaited:
                message = f"`{item.name}` has no weight, guards nothing, and nothing waits for it"
                yield Finding(placed.node.span, message, "give it a weight, or take it out")
