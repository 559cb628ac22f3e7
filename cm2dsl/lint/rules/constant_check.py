from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.implies import never_true
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.lint.truth import constant


class ConstantCheck(Rule):
    """A check that comes out the same whatever the agent does tells no dialogue from another. If
    it cannot be false, its item pays everybody, or as a `never` or a veto nobody; if it cannot be
    true, it is the other way round. Mostly an `or` stands where an `and` was meant, or a count
    takes everything in. A check that merely contradicts itself is a matter of L117.
    """

    code = "L413"
    name = "constant-check"
    family = "reward"
    title = "a check that is true of every dialogue, or of none"
    severity = "error"
    bad = (
        Bad("item careful { check called search or not called book or called book }"),
        Bad("at_end looks { check called search at_least 0 times }"),
        Bad(
            """item searches { check called search(to == "Rome") }
never books veto {
  check called book at_most 2 times or called book at_least 2 times
}"""
        ),
        Bad(
            """item books {
  check called book(seats == 1) or not (called book(seats == 1) and called *)
}"""
        ),
        Bad("item books { check not (called book or called * exactly 0 times or called *) }"),
    )
    good = (
        "item careful { check called search or not called book }",
        "at_end looks { check called search at_most 2 times }",
        """item searches { check called search(to == "Rome") }
never books veto {
  check called book at_most 1 time or called book at_least 3 times
}""",
        "item books { check called book(seats == 1) or not called book }",
        "item books { check called book and not called book }",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            item = placed.item
            if item.expr is None or item.ask is not None or never_true(item.expr):
                continue
            always = constant(item.expr)
            if always is None:
                continue
            what = "every dialogue" if always else "no dialogue"
            message = f"the check of `{item.name}` is true of {what}"
            end = "holds" if always != (item.kind == "never") else "never holds"
            help = f"the item {end}, whatever the agent does: look for what must be told apart"
            yield Finding(placed.span, message, help)
