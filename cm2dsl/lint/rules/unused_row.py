from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.walk import walk


class UnusedRow(Rule):
    """A task with rows stands for as many tasks as there are rows. If it uses no value of its row,
    they are all the same one: a held-out row then measures what training has seen.
    """

    code = "L107"
    name = "unused-row"
    family = "structure"
    title = "a task with rows that uses no value of them"
    bad = (
        Bad(
            """
task trip each row in "rows.csv" {
  turn ask { user "To Rome, please" item searches { check called search(to == "Rome") } }
}
"""
        ),
    )
    good = (
        """
task trip each row in "rows.csv" {
  turn ask { user "To {row.to}, please" item searches { check called search(to == row.to) } }
}
""",
        """
template goes(place) { check called search(to == place) }

task trip each row in "rows.csv" {
  turn ask { user "Where I always go, please" use goes(row.to) }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        tasks = {task.name: task for task in subject.spec.tasks} if subject.spec else {}
        for node in subject.tasks:
            task = tasks.get(node.name.text)
            if task is None or node.each is None:
                continue
            if not any(walk((task.turns, task.items, task.simulated), ir.RowRef)):
                row = node.each.row
                message = f"`{row.text}` is read nowhere in `{task.name}`"
                help = f'use its values, as in `user "{{{row.text}.column}}"`, or take `each` out'
                yield Finding(row.span, message, help)
