from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.implies import implies
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Placed, Subject


class DuplicateItem(Rule):
    """Two items that ask for the same pay twice for one thing, and a judge is paid twice to say so.
    Where one of them was copied to be changed, the change was forgotten.
    """

    code = "L103"
    name = "duplicate-item"
    family = "structure"
    title = "an item that asks for the same as another one of its turn"
    bad = (
        Bad(
            """item searches { check called search(to == "Rome") }
item looks    { check called search(to == "Rome") }"""
        ),
        Bad(
            """item searches { check called search(to == "Rome", day == "Monday") }
item looks    { check called search(day == "Monday", to == "Rome") }"""
        ),
        Bad(
            """
template polite() { ask "Is the reply polite?" fail "Scolds the user" }

task trip { turn ask { user "Hello" use polite() use polite() as kind } }
"""
        ),
    )
    good = (
        """item searches { check called search(to == "Rome") }
item looks    { check called search(day == "Monday") }""",
        """item searches { check called search }
item answers  { check replied }
item tells after searches { check replied }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        first: dict[tuple[str, str], list[Placed]] = {}
        for placed in subject.placed():
            seen = first.setdefault((placed.task.name, placed.scope), [])
            same = next((one for one in seen if _same(one.item, placed.item)), None)
            if same is None:
                seen.append(placed)
                continue
            message = f"`{placed.item.name}` asks for the same as `{same.item.name}`"
            help = "take one of them out, and give the other its weight"
            related = ((same.node.span, "first here"),)
            yield Finding(placed.node.span, message, help, related=related)


def _same(one: ir.Item, other: ir.Item) -> bool:
    if one.ask is not None and one.focus != other.focus:
        return False
    if set(one.after) != set(other.after):
        return False
    if (one.kind, one.ask) != (other.kind, other.ask):
        return False
    if one.expr is None or other.expr is None:
        return one.expr == other.expr
    return implies(one.expr, other.expr) and implies(other.expr, one.expr)
