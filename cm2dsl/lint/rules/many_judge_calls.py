from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject

MOST = 30


class ManyJudgeCalls(Rule):
    """Each item with an `ask` is a request to the judge, as often as there are votes, for every
    dialogue of every group: a task with forty requests is slower to judge than to play. Let checks
    decide what they can, and ask for votes where judges differ.
    """

    code = "L501"
    name = "many-judge-calls"
    family = "cost"
    title = f"a task whose dialogues take more than {MOST} requests to a judge"
    bad = (
        Bad(
            """
judge { votes 16 }

task chat {
  turn ask {
    user "Hello"
    item greets { ask "Does the reply greet?" fail "Begins with a price" }
    item offers { ask "Does the reply offer help?" fail "Only greets" }
  }
}
"""
        ),
    )
    good = (
        """
judge { votes 15 }

task chat {
  turn ask {
    user "Hello"
    item greets { ask "Does the reply greet?" fail "Begins with a price" }
    item offers { ask "Does the reply offer help?" fail "Only greets" }
    item answers { check replied }
  }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        votes = subject.spec.judge.votes
        names = {node.name.text: node.name.span for node in subject.tasks}
        for task in subject.spec.tasks:
            items = [*task.items, *(item for turn in task.turns for item in turn.items)]
            asked = sum(item.ask is not None for item in items)
            if asked * votes > MOST and task.name in names:
                times = f" times {votes} votes" if votes > 1 else ""
                message = f"a dialogue takes up to {asked * votes} requests to the judge"
                help = f"they are {asked} questions{times}: let a `check` decide, or ask for less"
                yield Finding(names[task.name], message, help)
