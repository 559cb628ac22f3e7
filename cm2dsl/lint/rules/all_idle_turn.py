from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.idle import pays_idle
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class AllIdleTurn(Rule):
    """If every item with weight says what must not happen, an agent that does nothing earns the
    whole turn, and an agent that tries can only lose. Say what is to be done as well.
    """

    code = "L403"
    name = "all-idle-turn"
    family = "reward"
    title = "a turn in which doing nothing earns everything"
    severity = "error"
    bad = (
        Bad(
            """never books { check called book }
never looks { check called search }"""
        ),
        Bad("never books weight 1 veto { check called book }"),
        Bad(
            """
task trip {
  user simulated "You ask for a flight"
  never books { check called book }
}
"""
        ),
    )
    good = (
        """item answers { check replied }
never books veto { check called book }""",
        """item answers { check replied }
never books { check called book }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tasks = {task.name: task for task in subject.spec.tasks} if subject.spec else {}
        for node in subject.tasks:
            task = tasks.get(node.name.text)
            if task is None:
                continue
            spans = {
                part.name.text: part.name for part in node.parts if isinstance(part, nodes.Turn)
            }
            scopes = [(f"turn `{turn.name}`", spans[turn.name], turn.items) for turn in task.turns]
            scopes.append((f"the task scope of `{task.name}`", node.name, task.items))
            for shown, name, items in scopes:
                weighted = [item for item in items if item.weight]
                if weighted and all(pays_idle(item) for item in weighted):
                    message = f"doing nothing earns all of {shown}"
                    help = "give weight to an item that says what is to be done"
                    yield Finding(name.span, message, help)
