from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir, nodes
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class UnassignedWeight(Rule):
    """`assign { at … }` names the turns that carry reward. The items of other turns earn nothing:
    they count only if they are `strict`, or if an item waits for them.
    """

    code = "L406"
    name = "unassigned-weight"
    family = "reward"
    title = "items of a turn that carries no reward"
    bad = (
        Bad(
            """
task trip {
  assign { at book }
  turn ask  { user "Hello" item answers { check replied } }
  turn book { user "Book it" item books { check called book } }
}
"""
        ),
    )
    good = (
        """
task trip {
  assign { at book }
  turn ask  { user "Hello" item answers strict { check replied } }
  turn book { user "Book it" item books { check called book } }
}
""",
        """
task trip {
  assign { at book }
  turn ask  { user "Hello" item answers { check replied } }
  turn book { user "Book it" item books after ask.answers { check called book } }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tasks = {task.name: task for task in subject.spec.tasks} if subject.spec else {}
        for node in subject.tasks:
            task = tasks.get(node.name.text)
            if task is None or task.assign.at is None:
                continue
            names = {
                part.name.text: part.name for part in node.parts if isinstance(part, nodes.Turn)
            }
            for scope in _unused(task, task.assign.at):
                shown = f"turn `{scope}`" if scope in names else "the task scope"
                message = f"the items of {shown} earn nothing: `at` does not name it"
                help = f"add `{scope}` to `at`, or take its items out"
                yield Finding(names.get(scope, node.name).span, message, help)


def _unused(task: ir.Task, at: tuple[str, ...]) -> Iterator[str]:
    """The turns that `at` leaves out and that no other turn depends on."""
    scopes = {turn.name: turn.items for turn in task.turns} | {DIALOGUE: task.items}
    awaited = {
        name.split(".", 1)[0]
        for scope, items in scopes.items()
        for item in items
        for name in item.after
        if not name.startswith(f"{scope}.")
    }
    for scope, items in scopes.items():
        held = scope in awaited or any(item.strict for item in items)
        if items and not held and scope not in at:
            yield scope
