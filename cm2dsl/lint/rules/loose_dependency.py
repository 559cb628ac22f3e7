from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.subject import Subject

TOOLS = ("tool_call", "tool_result")


class LooseDependency(Rule):
    """`after` is for what an item cannot do without: the result of a tool (arXiv 2602.12268 ties
    dependencies to tool results alone). An item that waits for what was said or thought before is
    taken away with it, although it was done: the agent is punished twice, and the second item no
    longer shows anything of its own. To hold the dialogue back there is `strict`.
    """

    code = "L113"
    name = "loose-dependency"
    family = "structure"
    title = "an `after` that waits for no tool"
    bad = (
        Bad(
            """
task trip {
  turn ask {
    user "Hello"
    item offers { ask "Does the reply offer a flight?" fail "Offers help" }
  }
  turn book { user "The first" item books after ask.offers { check called book } }
}
"""
        ),
        Bad(
            """
task trip {
  turn ask  { user "Hello" item greets { check reply contains "hello" } }
  turn book { user "The first" item books { check called book } }
  item kind after ask.greets { ask "Is the agent kind?" fail "Scolds the user" }
}
"""
        ),
        Bad(
            """item plans { focus reasoning ask "Does it plan to search?" fail "Plans to guess" }
item searches after plans { check called search }"""
        ),
    )
    good = (
        """
task trip {
  turn ask  { user "Hello" item searches { check called search } }
  turn book { user "The first" item books after ask.searches { check called book } }
}
""",
        """
task trip {
  turn ask {
    user "Hello"
    item offers strict { ask "Does the reply offer a flight?" fail "Offers help" }
  }
  turn book { user "The first" item books { check called book } }
}
""",
        """item found { focus tool_result ask "Does the result hold a flight?" fail "It is empty" }
item tells after found { check reply contains "KF12" }""",
        """item known { check called search or reply contains "KF12" }
item tells after known { check reply contains "120" }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            if not placed.item.after:
                continue
            scopes = scopes_of(placed.task)
            for name in placed.item.after:
                scope, _, short = name.partition(".")
                awaited = next(one for one in scopes[scope] if one.name == short)
                # That a turn ends with its reply is another rule's (L110, L114).
                closing = scope == placed.scope != DIALOGUE and awaited.focus == "reply"
                if closing or looks_at_tools(awaited):
                    continue
                about = {"user": "what the user says", "reasoning": "what the agent thinks"}
                shown = about.get(awaited.focus, "what the agent says")
                message = f"`{placed.item.name}` waits for `{short}`, which is about {shown}"
                help = "let it come after the call whose result it needs, or take the `after` out; "
                help += "`strict` holds the dialogue back"
                yield Finding(placed.after_span(name), message, help)


def looks_at_tools(item: ir.Item) -> bool:
    """Whether an item is about a call or its result, by its check or by its focus."""
    return item.focus in TOOLS or (item.expr is not None and _looks(item.expr))


def _looks(check: ir.Check) -> bool:
    if isinstance(check, ir.And | ir.Or):
        return any(_looks(part) for part in check.of)
    if isinstance(check, ir.Not):
        return _looks(check.of)
    return not isinstance(check, ir.Replied | ir.ReplyContains | ir.ReplyMatches)
