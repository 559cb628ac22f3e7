from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.idle import guard_of, pays_idle, without_weight
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class PaidSilence(Rule):
    """An agent that does nothing at all breaks no rule. An item that is satisfied by that pays for
    silence with its weight, and silence is learned first. What must not happen is a `veto` or a
    `penalty`, without a weight: one that has a weight takes, and pays for silence all the same.
    Weight belongs to what has to be done.

    A task that pays inaction more than `max-floor` is an error as a whole (L408), and its items are
    named there.
    """

    code = "L401"
    name = "paid-silence"
    family = "reward"
    title = "weight for what an agent that does nothing fulfils too"
    bad = (
        Bad(
            """item searches weight 3 { check called search(to == "Rome") }
never books { check called book }"""
        ),
        Bad(
            """item searches weight 3 { check called search(to == "Rome") }
always careful { check not called book or called search }"""
        ),
        Bad(
            """item searches weight 3 { check called search(to == "Rome") }
never books weight 1 veto { check called book }"""
        ),
    )
    good = (
        """item answers { check replied }
never books veto { check called book }
never looks penalty 0.3 { check called search }""",
        """item searches { check called search }
never books after searches { check called book }
at_end declines { check replied and not called book }""",
        """item searches { check called search }
never idles { check not called search }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            item = placed.item
            if subject.floors[placed.task.name].inaction > subject.budget.floor:
                continue
            if item.weight and pays_idle(item):
                message = f"`{item.name}` pays an agent that does nothing"
                help = "make it a `veto` or a `penalty`, or let it come `after` what is to be done"
                if (guard := guard_of(item)) is not None:
                    help = without_weight(guard)
                yield Finding(placed.node.span, message, help)
