from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.implies import never_true
from cm2dsl.lint.reach import contradicts
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class ContradictoryCheck(Rule):
    """A check that wants a call and wants it not to be there, one argument with two values, or a
    text that is said and not said (case does not count), is true of no dialogue. Its item is never
    satisfied and its weight cannot be earned; a `never` with such a check guards nothing. Mostly an
    `and` stands where an `or` was meant.
    """

    code = "L117"
    name = "contradictory-check"
    family = "structure"
    title = "a check that no dialogue can meet"
    severity = "error"
    bad = (
        Bad("item books { check called book and not called book }"),
        Bad("item books { check called book(seats == 2) and called book at_most 0 times }"),
        Bad('item books { check called book(flight == "KF12", flight == "KF13") }'),
        Bad("item books { check called book(seats > 2, seats < 2) }"),
        Bad("item books { check called book(seats in [1, 2], seats > 2) }"),
        Bad("item books { check called book(not flight exists, flight ~ /KF/) }"),
        Bad('item tells { check reply contains "KF12" and not reply contains "kf12" }'),
        Bad("item books { check result book has booking and not called book }"),
        Bad(
            """item answers { check replied }
never books veto { check called book and called * exactly 0 times }"""
        ),
    )
    good = (
        "item books { check called book and not called search }",
        "item books { check called book(seats == 2) and called book at_most 1 time }",
        'item books { check called book(flight == "KF12") and called book(flight == "KF13") }',
        "item books { check called book(seats == 2) and not called book(seats == 3) }",
        "item books { check called book(seats >= 2, seats <= 2) }",
        'item tells { check reply contains "KF1" and not reply contains "KF12" }',
        """item books {
  check called book and not called book
  ask   "Does the reply offer a seat?"
  fail  "Offers help"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            item = placed.item
            vain = item.kind == "never" and item.expr is not None and never_true(item.expr)
            if vain or contradicts(item):
                end = "guards nothing" if vain else "is never satisfied"
                message = f"`{item.name}` {end}: its check contradicts itself"
                help = "write `or` where one of them is enough, or make two items of it"
                yield Finding(placed.span, message, help)
