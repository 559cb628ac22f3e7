from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.reach import never_satisfied
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class Unreachable(Rule):
    """What waits for an item that no dialogue satisfies is never satisfied either, and behind a
    `strict` item of that kind no turn ever comes. The fault is in what they wait for: another
    finding says what is wrong with it (L110, L117).
    """

    code = "L118"
    name = "unreachable"
    family = "structure"
    title = "an item or a turn behind what is never satisfied"
    severity = "error"
    bad = (
        Bad(
            """item books { check called book and not called book }
item tells after books { check reply contains "KF12" }"""
        ),
        Bad(
            """
task trip {
  turn ask {
    user "Hello"
    item nothing strict { check called search and called * at_most 0 times }
  }
  turn book { user "Book it" item books { check called book } }
}
"""
        ),
    )
    good = (
        """item books { check called book }
item tells after books { check reply contains "KF12" }""",
        """
task trip {
  turn ask {
    user "Hello"
    item nothing { check called search and called * at_most 0 times }
  }
  turn book { user "Book it" item books { check called book } }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for node, task in subject.compiled_tasks:
            dead = never_satisfied(task)
            turns = {part.name.text: part for part in node.parts if isinstance(part, nodes.Turn)}
            for scope, gate in dead.turns.items():
                message = f"turn `{scope}` never comes: `{gate}` is strict and is never satisfied"
                yield Finding(turns[scope].name.span, message, f"mend `{gate}`")
            if not dead.items:
                continue
            for placed in subject.placed():
                name = f"{placed.scope}.{placed.item.name}"
                reason = dead.items.get(name) if placed.task is task else None
                if reason in (None, name) or placed.scope in dead.turns:
                    continue
                message = f"`{placed.item.name}` is never satisfied: it waits for `{reason}`"
                yield Finding(placed.span, message, f"mend `{reason}`, or take the `after` out")
