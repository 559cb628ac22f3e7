from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.reach import waits_for_the_end
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.subject import Subject


class AfterTheEnd(Rule):
    """`always`, `never`, `at_end` and a check that wants the closing reply (`replied`) hold at the
    last step of their turn, and what comes after them could be satisfied one step later. There is
    no such step in that turn: an item of the same turn that waits for one of them is never
    satisfied, and neither is one of the task scope that waits for one of the last turn.
    """

    code = "L110"
    name = "after-the-end"
    family = "structure"
    title = "an item that waits for the end of its own turn"
    severity = "error"
    bad = (
        Bad(
            """at_end answers { check replied and reply contains "KF12" }
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
        Bad(
            """item answers { check replied and reply contains "KF12" }
item thanks after answers { check reply contains "thank" }"""
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
        """item searches { check called search or replied }
item thanks after searches { check reply contains "thank" }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            for name in waits_for_the_end(placed.task, placed.scope, placed.item):
                scope, _, short = name.partition(".")
                awaited = {one.name: one for one in scopes_of(placed.task)[scope]}[short]
                kind = f"of kind `{awaited.kind}`" if awaited.kind != "item" else "a closing reply"
                message = f"`{placed.item.name}` is never satisfied: `{short}`, {kind}, "
                message += "holds only from the last step"
                help = f"let it come after an `item`, or take `{short}` out of its `after`"
                yield Finding(placed.after_span(name), message, help)
