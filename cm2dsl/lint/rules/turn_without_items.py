from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class TurnWithoutItems(Rule):
    """A turn without items is worth 0, whatever the agent does in it, and counts in the mean over
    the turns like any other: no dialogue can earn 1. Give it items, or name the turns that carry
    reward with `assign { at … }`.
    """

    code = "L104"
    name = "turn-without-items"
    family = "structure"
    title = "a turn that carries reward and has no items"
    bad = (
        Bad(
            """
task trip {
  turn ask  { user "Hello" item answers { check replied } }
  turn book { user "Book it" }
}
"""
        ),
    )
    good = (
        """
task trip {
  turn ask  { user "Hello" item answers { check replied } }
  turn book { user "Book it" item books { check called book } }
}
""",
        """
task trip {
  turn ask  { user "Hello" }
  turn book { user "Book it" }
  item books { check called book }
  assign { at dialogue }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tasks = {task.name: task for task in subject.spec.tasks} if subject.spec else {}
        for node in subject.tasks:
            task = tasks.get(node.name.text)
            if task is None:
                continue
            without = {turn.name for turn in task.turns if not turn.items}
            if task.assign.at is not None:
                without &= set(task.assign.at)
            for part in node.parts:
                if isinstance(part, nodes.Turn) and part.name.text in without:
                    message = f"turn `{part.name.text}` has no items, and is always worth 0"
                    help = "give it an item, or name the other turns in `assign { at … }`"
                    yield Finding(part.name.span, message, help)
