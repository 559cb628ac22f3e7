from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.floor.policies import INACTIVE
from cm2dsl.lint.earned import any_of
from cm2dsl.lint.idle import guard_of, pays_idle, without_weight
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class UnearnedItem(Rule):
    """An agent that calls no tool, and says the same to every user, satisfies this item. If all
    such agents do, it is vacuous: it tells a good dialogue from no other. If only some do, its
    check is met by words that nobody had to think of, such as a refusal, or the user's own.
    Wanting a reply is right, paying for it is not: make it a `veto` without a weight, or let it
    come after what the reply should be about.

    A task that pays such agents more than `max-floor` is an error as a whole (L408), and its items
    are named there.
    """

    code = "L409"
    name = "unearned-item"
    family = "reward"
    title = "weight for what an agent satisfies that calls nothing and understands nothing"
    bad = (
        Bad(
            """item searches weight 2 { check called search(to == "Rome") }
at_end answers { check replied }"""
        ),
        Bad(
            """item searches weight 2 { check called search(to == "Rome") }
item names { check reply contains "Rome" }"""
        ),
        Bad(
            """
task trip {
  turn ask {
    user "What is there to Rome?"
    item searches { check called search(to == "Rome") }
    never books weight 0 veto { check called book }
  }
  turn more {
    user "And to Oslo?"
    item searches { check called search(to == "Oslo") }
    never books after ask.books { check called book }
  }
}
"""
        ),
    )
    good = (
        """item searches weight 2 { check called search(to == "Rome") }
at_end answers after searches { check replied }
item names after searches { check reply contains "Rome" }""",
        """item searches { check called search(to == "Rome") }
at_end answers veto { check replied }""",
        """item searches weight 2 veto { check called search(to == "Rome") }
at_end answers { check replied }""",
        """item searches { check called search(to == "Rome") }
item kind { ask "Does the reply greet the user?" fail "Begins with a price" }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            floor = subject.floors[placed.task.name]
            policies = floor.paying.get(f"{placed.scope}.{placed.item.name}", ())
            if not policies or pays_idle(placed.item):  # of silence L401 speaks, without playing
                continue
            if floor.inaction > subject.budget.floor:
                continue
            name = f"`{placed.item.name}`"
            message = f"{name} pays an agent that {any_of(policies)}"
            if len(policies) == len(INACTIVE):
                message = f"{name} is vacuous: it pays every agent that does nothing"
            help = "make it a `veto`, or let it come `after` what is to be done"
            if (guard := guard_of(placed.item)) is not None:
                help = without_weight(guard)
            yield Finding(placed.span, message, help)
