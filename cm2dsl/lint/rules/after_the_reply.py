from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.reach import ends_turn
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class AfterTheReply(Rule):
    """A turn ends with its reply, and an item is satisfied one step after what it waits for. What
    waits for the reply of its own turn, a call or another thing to be said, can only come true
    where the agent says something in the middle of its calls and then goes on. Let items that one
    reply satisfies come after the same call, and not after each other.
    """

    code = "L114"
    name = "after-the-reply"
    family = "structure"
    title = "an item that waits for the reply of its own turn"
    bad = (
        Bad(
            """item presents { check reply contains "KF12" }
item searches after presents { check called search }"""
        ),
        Bad(
            """item searches { check called search }
item presents after searches { ask "Does the reply name a flight?" fail "Names none" }
item thanks after presents { check reply contains "thank" }"""
        ),
    )
    good = (
        """item searches { check called search }
item presents after searches { check reply contains "KF12" }
item thanks after searches { check reply contains "thank" }""",
        """
task trip {
  turn ask  { user "Hello" item presents { check reply contains "KF12" } }
  turn book { user "It" item books after ask.presents { check called book } }
}
""",
        """
task trip {
  user simulated "You ask for a flight"
  item presents { check reply contains "KF12" }
  item books after presents { check called book }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            if placed.scope == DIALOGUE or not placed.item.after:
                continue
            beside = {f"{placed.scope}.{one.name}": one for one in placed.items}
            for name in placed.item.after:
                awaited = beside.get(name)
                if awaited is None or ends_turn(awaited) or not _needs_reply(awaited):
                    continue
                message = f"`{placed.item.name}` waits for `{awaited.name}`, which the reply that "
                message += "ends the turn satisfies"
                help = "let it come after the call that both need"
                yield Finding(placed.after_span(name), message, help)


def _needs_reply(item: ir.Item) -> bool:
    """Whether an item is satisfied by something said: by its check, else by its focus."""
    if item.expr is not None:
        return _says(item.expr)
    return item.focus == "reply"


def _says(check: ir.Check) -> bool:
    if isinstance(check, ir.And):
        return any(_says(part) for part in check.of)
    if isinstance(check, ir.Or):
        return all(_says(part) for part in check.of)
    return isinstance(check, ir.Replied | ir.ReplyContains | ir.ReplyMatches | ir.ReplyMentions)
