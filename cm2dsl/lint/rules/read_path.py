from __future__ import annotations

from collections.abc import Iterator, Mapping

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.lint.wanted import reads, wants, writes

FEWEST = 2


class ReadPath(Rule):
    """A recording shows one way to find things out. Where a write waits for every look-up on that
    way, an agent that knows already, or looks somewhere else, did the right thing and does not get
    its worth. What matters is the write and its arguments, which are right only if it looked.
    """

    code = "L412"
    name = "read-path"
    family = "reward"
    title = "a write that waits for a path of reads"
    bad = (
        Bad(
            """item searches { check called search(to == "Rome") }
item compares after searches { check called search(to == "Oslo") }
item books weight 3 after compares { check called book(flight == "KF12") }"""
        ),
        Bad(
            """item searches { check called search(to == "Rome") }
item compares { check called search(to == "Oslo") }
item books weight 3 after searches, compares { check called book(flight == "KF12") }"""
        ),
    )
    good = (
        """item searches { check called search(to == "Rome") }
item books weight 2 after searches { check called book(flight == "KF12") }""",
        """item searches { check called search(to == "Rome") }
item compares { check called search(to == "Oslo") }
item books weight 3 { check called book(flight == "KF12") }""",
        """item searches { check called search(to == "Rome") }
item compares after searches { check called search(to == "Oslo") }
item tells after compares { check reply contains "KF12" }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        if subject.spec is None:
            return
        looks, changes = reads(subject.spec), writes(subject.spec)
        for placed in subject.placed():
            item = placed.item
            if not item.after or not isinstance(item.expr, ir.Called | ir.Result):
                continue
            if item.kind == "never" or not wants(item.expr, changes):
                continue
            beside = {f"{placed.scope}.{one.name}": one for one in placed.items}
            path = [one.name for one in _waits(item, beside) if wants(one.expr, looks)]
            if len(path) >= FEWEST:
                shown = ", ".join(f"`{name}`" for name in path)
                message = f"`{item.name}`, a write, waits for {len(path)} reads: {shown}"
                help = "let it wait for none, or for the one whose result it cannot do without"
                yield Finding(placed.node.span, message, help)


def _waits(item: ir.Item, beside: Mapping[str, ir.Item]) -> list[ir.Item]:
    """All items of its turn that an item waits for, directly or not."""
    waiting, found = list(item.after), dict[str, ir.Item]()
    while waiting:
        name = waiting.pop()
        if name in beside and name not in found:
            found[name] = beside[name]
            waiting += beside[name].after
    return [one for name, one in beside.items() if name in found]
