from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.budget import Budget
from cm2dsl.lint.cost import Prompt
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class LargePrompt(Rule):
    """A prompt has to fit the judge's context: one that does not is an error, and masks the whole
    rollout. Small judges also lose their thread in long ones. The size is predicted from the
    longest recording of the task, for the judge is shown the dialogue; without one it is the least
    there can be. A Chinese letter counts as a token, and four others as one.

    The budget is `max-prompt-tokens` in the table `[tool.cm2.lint]`.
    """

    code = "L503"
    name = "large-prompt"
    family = "cost"
    title = "a task with a prompt to the judge of more tokens than the budget has, "
    title += f"{Budget().prompt_tokens:,} where nothing else is said"
    bad = (
        Bad(
            """item names {
  ask    "Does the reply name a flight that was found?"
  fail   "Names a flight that no result contains"
  anchor reply "KF12"
}""",
            settings={"max-prompt-tokens": 300},
        ),
    )
    good = (
        """item names {
  ask    "Does the reply name a flight that was found?"
  fail   "Names a flight that no result contains"
  anchor reply "KF12"
}""",
        "item names { check called search }",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        most = subject.budget.prompt_tokens
        for node, task in subject.compiled_tasks:
            largest = subject.costs[task.name].largest
            if largest is not None and largest.size.tokens > most:
                message = f"a prompt to the judge is about {largest.size.tokens:,} tokens long"
                message += f", and the budget is {most:,}"
                yield Finding(node.name.span, message, _help(largest))


def _help(prompt: Prompt) -> str:
    parts = {
        "what the agent is told and its tools": prompt.fixed,
        "the dialogue": prompt.dialogue,
        f"what `{prompt.item}` says": prompt.criterion,
    }
    most = max(parts, key=lambda name: parts[name].tokens)
    return f"most of it, {parts[most].tokens:,}, is {most}: say it shorter, or raise the budget"
