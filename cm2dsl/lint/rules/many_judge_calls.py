from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.budget import Budget
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.subject import Subject


class ManyJudgeCalls(Rule):
    """Each item with an `ask` is a request to the judge, as often as there are votes, for every
    dialogue of every group: a task with forty requests is slower to judge than to play. Let checks
    decide what they can, and ask for votes where judges differ. Items whose check may spare the
    request are counted too.

    The budget is `max-judge-calls` in the table `[tool.cm2.lint]`.
    """

    code = "L501"
    name = "many-judge-calls"
    family = "cost"
    title = "a task whose dialogues take more requests to a judge than the budget has, "
    title += f"{Budget().judge_calls} where nothing else is said"
    bad = (
        Bad(
            """
judge { votes 3 }

task chat {
  turn ask {
    user "Hello"
    item greets { ask "Does the reply greet?" fail "Begins with a price" }
    item offers { ask "Does the reply offer help?" fail "Only greets" }
  }
}
""",
            settings={"max-judge-calls": 5},
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
        votes, most = subject.spec.judge.votes, subject.budget.judge_calls
        for node, task in subject.compiled_tasks:
            items = [item for items in scopes_of(task).values() for item in items]
            asked = sum(item.ask is not None for item in items)
            if asked * votes > most:
                times = f" times {votes} votes" if votes > 1 else ""
                message = f"a dialogue takes up to {asked * votes} requests to the judge"
                message += f", and the budget is {most}"
                help = f"they are {asked} questions{times}: let a `check` decide, or ask for less"
                yield Finding(node.name.span, message, help)
