from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.budget import Budget
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class CostlyRollout(Rule):
    """What a judge reads for a rollout is the sum of its prompts: every item with an `ask`, times
    the votes, each with the dialogue so far. A group of rollouts pays it several times at each step
    of training. The size is predicted as for L503; what a server keeps of the prompts that begin
    alike is not taken off.

    The budget is `max-rollout-tokens` in the table `[tool.cm2.lint]`.
    """

    code = "L504"
    name = "costly-rollout"
    family = "cost"
    title = "a task whose dialogues make the judge read more tokens than the budget has, "
    title += f"{Budget().rollout_tokens:,} where nothing else is said"
    bad = (
        Bad(
            """
judge { votes 9 }

task trip {
  reference "recordings.jsonl"
  turn ask {
    user "I want to fly to Rome on Monday"
    item names { ask "Does the reply name a flight?" fail "Offers help" anchor reply "KF12" }
    item costs { ask "Does the reply name a price?" fail "Offers help" anchor reply "120" }
    item leaves { ask "Does the reply name a time?" fail "Offers help" anchor reply "08:00" }
  }
}
""",
            settings={"max-rollout-tokens": 10_000},
        ),
    )
    good = (
        """
judge { votes 3 }

task trip {
  reference "recordings.jsonl"
  turn ask {
    user "I want to fly to Rome on Monday"
    item names { ask "Does the reply name a flight?" fail "Offers help" anchor reply "KF12" }
  }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        most = subject.budget.rollout_tokens
        for node, task in subject.compiled_tasks:
            cost = subject.costs[task.name]
            if cost.tokens > most:
                message = f"a dialogue makes the judge read about {cost.tokens:,} tokens"
                message += f", and the budget is {most:,}"
                help = f"that is {cost.calls} requests: let a `check` decide, ask for fewer votes, "
                help += "or show less"
                yield Finding(node.name.span, message, help)
