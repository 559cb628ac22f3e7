from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class AnchorElsewhere(Rule):
    """The judge is shown the item's focus as the thing to decide on. An item whose anchors all
    stand in another channel was written from something that the judge is not told to look at: the
    focus is wrong, or the anchor is.
    """

    code = "L302"
    name = "anchor-elsewhere"
    family = "evidence"
    title = "a question whose anchors are all in another channel than its focus"
    bad = (
        Bad(
            """item priced {
  ask    "Does the reply name the flight that was found?"
  fail   "Names another"
  anchor tool_result "KF12"
}"""
        ),
    )
    good = (
        """item priced {
  ask    "Does the reply name the flight that was found?"
  fail   "Names another"
  anchor tool_result "KF12"
  anchor reply "KF12 leaves"
}""",
        """item found {
  focus  tool_result
  ask    "Does the result hold a flight?"
  fail   "It is an error"
  anchor tool_result "KF12"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            item, node = placed.item, placed.node
            channels = {anchor.channel for anchor in item.anchors}
            if item.ask is None or not channels or item.focus in channels:
                continue
            found = ", ".join(f"`{channel}`" for channel in sorted(channels))
            message = f"`{item.name}` is about the `{item.focus}`, and is anchored in {found}"
            help = f"quote the `{item.focus}` that it was written from, or set another `focus`"
            span = node.name.span if isinstance(node, nodes.Item) else node.template.span
            yield Finding(span, message, help)
