from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.implies import implies
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class ImpliedItem(Rule):
    """Whatever satisfies the one item satisfies the other too. A guard that another guard includes
    never decides anything. An item of weight that a harder one includes pays for a part of it: as
    partial credit that is meant, if it is worth less; worth as much, it pays the easy half twice.
    """

    code = "L115"
    name = "implied-item"
    family = "structure"
    title = "an item that another one of its turn includes"
    bad = (
        Bad(
            """item searches { check called search }
item goes     { check called search(to == "Rome") }"""
        ),
        Bad(
            """item answers { check replied }
never books veto { check called book }
never other veto { check called book(flight == "KF12") }"""
        ),
    )
    good = (
        """item searches { check called search }
item goes weight 2 { check called search(to == "Rome") }""",
        """item goes { check called search(to == "Rome") }
item day  { check called search(day == "Monday") }""",
        """item searches { check called search }
item goes after searches { check called search(to == "Rome") }""",
        """
task trip {
  turn ask {
    user "Hello"
    item searches strict { check called search }
    item goes { check called search(to == "Rome") }
  }
  turn book { user "Book it" item books { check called book } }
}
""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        awaited = {
            (placed.task.name, name) for placed in subject.placed() for name in placed.item.after
        }
        spans = {(one.task.name, one.scope, one.item.name): one.span for one in subject.placed()}
        for placed in subject.placed():
            item = placed.item
            if (placed.task.name, f"{placed.scope}.{item.name}") in awaited or not _can_be(item):
                continue
            other = next((one for one in placed.items if _includes(one, item)), None)
            if other is None:
                continue
            if item.kind == "never":
                message = f"`{item.name}` is violated only where `{other.name}` is"
                help = "take it out"
            else:
                message = f"`{item.name}` is satisfied wherever `{other.name}` is, "
                message += "and worth as much"
                help = f"take it out, or give `{other.name}` more weight"
            related = ((spans[placed.task.name, placed.scope, other.name], "this one"),)
            yield Finding(placed.span, message, help, related=related)


def _can_be(item: ir.Item) -> bool:
    if item.expr is None or item.strict:
        return False
    if item.kind == "never":
        return bool(item.veto or item.penalty) and not item.weight
    return item.weight > 0 and not item.veto and not item.penalty


def _includes(other: ir.Item, item: ir.Item) -> bool:
    """Whether whatever satisfies `other` satisfies `item`, which is worth no less or guards."""
    if other is item or other.kind != item.kind or other.ask is not None:
        return False
    if other.expr is None or item.expr is None:
        return False
    if implies(other.expr, item.expr) and implies(item.expr, other.expr):
        return False  # two of the same are another rule's (L103)
    if not set(item.after) <= set(other.after):
        return False
    if item.kind == "never":
        return other.veto and implies(item.expr, other.expr)
    return item.weight >= other.weight > 0 and implies(other.expr, item.expr)
