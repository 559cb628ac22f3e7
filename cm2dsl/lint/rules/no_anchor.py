from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class NoAnchor(Rule):
    """An anchor is the piece of the reference dialogue that an item was written from: a reviewer
    sees what is meant, and the compiler sees when the recording no longer says it. A question to
    a judge in a task with a reference should have one.
    """

    code = "L301"
    name = "no-anchor"
    family = "evidence"
    title = "a question without an anchor, where there is a reference"
    bad = (Bad('item priced { ask "Does the reply name a price?" fail "Names none" }'),)
    good = (
        """item priced {
  ask    "Does the reply name a price?"
  fail   "Names none"
  anchor reply "costs 120"
}""",
        """
task chat {
  turn ask { user "Hello" item greets { ask "Does the reply greet?" fail "Begins with a price" } }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            item, node = placed.item, placed.node
            if not isinstance(node, nodes.Item) or placed.task.reference is None:
                continue
            if item.ask is not None and not item.anchors:
                message = f"`{item.name}` is tied to no piece of the reference"
                help = 'quote what it was written from: `anchor reply "…"`'
                yield Finding(node.name.span, message, help)
