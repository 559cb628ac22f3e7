from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.lower.order import DIALOGUE


class AfterTheEnd(Rule):
    """`always`, `never` and `at_end` hold from the last step of their turn, and what comes after
    them could be satisfied one step later. There is no such step in that turn: an item of the same
    turn that waits for one of them is never satisfied, and neither is one of the task scope that
    waits for one of the last turn.
    """

    code = "L110"
    name = "after-the-end"
    family = "structure"
    title = "an item that waits for the end of its own turn"
    severity = "error"
    bad = (
        Bad(
            """at_end answers { check replied }
item searches after answers { check called search }"""
        ),
        Bad(
            """
task trip {
  turn ask { user "Hello" at_end answers { check replied } }
  item kind after ask.answers { ask "Is the agent kind?" fail "Scolds the user" }
}
"""
        ),
        Bad(
            """never books veto { check called book }
at_end answers after books { check replied }"""
        ),
    )
    good = (
        """
task trip {
  turn ask  { user "Hello" at_end answers { check replied } }
  turn book { user "Book it" item books { check called book } }
  item kind after ask.answers { ask "Is the agent kind?" fail "Scolds the user" }
}
""",
        """item searches { check called search }
at_end answers after searches { check replied }""",
        """
task trip {
  turn ask  { user "Hello" at_end answers { check replied } }
  turn book { user "Book it" item books after ask.answers { check called book } }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        placed = list(subject.placed())
        kinds = {(one.task.name, f"{one.scope}.{one.item.name}"): one.item.kind for one in placed}
        for one in placed:
            ends = {one.scope}
            if one.scope == DIALOGUE:
                ends |= {turn.name for turn in one.task.turns[-1:]}
            for name in one.item.after:
                kind = kinds.get((one.task.name, name), "item")
                scope, short = name.split(".", 1)
                if scope in ends and kind != "item":
                    message = f"`{one.item.name}` is never satisfied: `{short}`, "
                    message += f"of kind `{kind}`, holds only from the last step"
                    help = f"let it come after an `item`, or take `{short}` out of its `after`"
                    yield Finding(one.node.span, message, help)
