from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.budget import Budget
from cm2dsl.lint.earned import items_text, policies_text, rows_text
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class BlindReward(Rule):
    """Every task is played by agents that act without a thought: one calls every tool that only
    reads, with arguments that the schema allows and nothing more; one calls every tool; one repeats
    a call; and one calls nothing and says all that the checklist wants to hear. If such an agent
    earns most of the task, the checks look at whether something was done and not at what. Say which
    arguments are right, what a result must have, and let what is to be said come after the call
    that it is about.

    Results are those of the recordings, and for any other call an error or an empty object. The
    limit is `max-blind-reward` in the table `[tool.cm2.lint]`, a number from 0 to 1. `cm2c floor`
    shows what each policy earns in every task.
    """

    code = "L410"
    name = "blind-reward"
    family = "reward"
    title = "a task that pays acting blindly: more than `max-blind-reward`, "
    title += f"{Budget().blind_reward} where nothing else is said"
    bad = (
        Bad("item searches { check called search }"),
        Bad("item searches { check called search at_least 2 times }"),
        Bad("item tells { check reply matches /KF\\d+ (costs|is) 120/ }"),
        Bad(
            """item searches { check called search }
at_end declines weight 2 after searches { check replied }
never books veto { check called any write }"""
        ),
    )
    good = (
        'item searches { check called search(to == "Rome") }',
        """item searches { check called search(to == "Rome") }
item tells after searches { check reply contains "KF12" }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for node, task in subject.compiled_tasks:
            floor = subject.floors[task.name]
            if floor.inaction > subject.budget.floor:
                continue  # an error already (L408): they earn no less
            best = max(one.floor for one in floor.of(inactive=False))
            if best <= subject.budget.blind_reward:
                continue
            alike = [one for one in floor.of(inactive=False) if one.floor == best]
            message = f"`{task.name}` pays {best:.2f} to an agent that {policies_text(alike)}"
            message += f"{rows_text(floor, alike[0])}, for {items_text(alike[0])}"
            help = "let checks say which arguments, results and words are right"
            yield Finding(node.name.span, message, help)
