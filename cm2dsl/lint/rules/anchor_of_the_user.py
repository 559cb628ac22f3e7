from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class AnchorOfTheUser(Rule):
    """An anchor in the reply that the user's message holds too proves nothing: a policy that
    repeats the user has it. Quote what only the agent can say.
    """

    code = "L303"
    name = "anchor-of-the-user"
    family = "evidence"
    title = "an anchor that also occurs in the user's message"
    bad = (
        Bad(
            """user "Is KF12 late?"
item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
}"""
        ),
    )
    good = (
        """user "Is it late?"
item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            turn = next((one for one in placed.task.turns if one.name == placed.scope), None)
            said = "".join(part for part in turn.user if isinstance(part, str)) if turn else ""
            for anchor in placed.item.anchors:
                text = "".join(part for part in anchor.text if isinstance(part, str))
                if anchor.channel == "reply" and text and text in said:
                    message = f"the anchor `{text}` stands in the user's message too"
                    help = "quote a piece that only the agent can have said"
                    yield Finding(placed.node.span, message, help)
