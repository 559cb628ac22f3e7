from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cm2dsl import ir, nodes
from cm2dsl.ir import DIALOGUE
from cm2dsl.lint.rule import Bad, Edit, Finding, Fix, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.reward.gates import gated


class ImpliedAfter(Rule):
    """An item that comes after `presents` comes after all that `presents` waits for. To name those
    too says nothing more, and hides which item it is really waiting for. So it is with a `strict`
    item of an earlier turn, without which this turn does not come.

    What a judge decides implies nothing here: without a judge nothing waits for it.
    """

    code = "L105"
    name = "implied-after"
    family = "structure"
    title = "an `after` that another one of the item implies"
    bad = (
        Bad(
            """item searches { check called search }
item books after searches { check called book }
item tells after searches, books { check replied }""",
            fixed="""item searches { check called search }
item books after searches { check called book }
item tells after books { check replied }""",
        ),
        Bad(
            """item searches { check called search }
item books after searches { check called book }
item tells after books, searches { check replied }""",
            fixed="""item searches { check called search }
item books after searches { check called book }
item tells after books { check replied }""",
        ),
        Bad(
            """
task trip {
  turn ask { user "A flight" item searches strict { check called search } }
  turn book { user "Book it" item books after ask.searches { check called book } }
}
"""
        ),
        Bad(
            """item searches { check called search }
item books after searches, searches { check called book }"""
        ),
    )
    good = (
        """
task trip {
  turn ask { user "A flight" item searches strict { check called search } }
  at_end books after ask.searches { check called book }
}
""",
        """item searches { check called search }
item kind after searches { ask "Is the reply kind?" fail "Scolds the user" }
item tells after searches, kind { check replied }""",
        """item searches { check called search }
item books { check called book }
item tells after searches, books { check replied }""",
        """item searches { check called search }
item books after searches { check called book }
item tells after books { check replied }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            scopes = {turn.name: turn.items for turn in placed.task.turns}
            scopes[DIALOGUE] = placed.task.items
            after = {
                f"{scope}.{item.name}": item.after
                for scope, items in scopes.items()
                for item in items
                if item.ask is None and item.weight
            }
            for modifier in placed.node.modifiers:
                if modifier.word == "after":
                    yield from _gated(modifier.refs, placed.scope, placed.task)
                    yield from _implied(modifier.refs, placed.scope, after)


def _names(refs: Sequence[nodes.ItemRef], scope: str) -> list[str]:
    return [f"{ref.turn.text if ref.turn else scope}.{ref.item.text}" for ref in refs]


def _gated(refs: Sequence[nodes.ItemRef], scope: str, task: ir.Task) -> Iterator[Finding]:
    """Those that a gate sees to, and those that stand twice."""
    names = _names(refs, scope)
    for index, (ref, name) in enumerate(zip(refs, names, strict=True)):
        help = f"take `{ref.text}` out"
        if name in names[:index]:
            yield Finding(ref.span, f"`{ref.text}` stands twice in this `after`", help)
        elif gated(task, scope, name):
            message = f"`{ref.text}` is strict: without it turn `{scope}` does not come"
            yield Finding(ref.span, message, help)


def _implied(
    refs: Sequence[nodes.ItemRef], scope: str, after: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    names = _names(refs, scope)
    by = [
        next((o for o, other in zip(refs, names, strict=True) if _waits(other, name, after)), None)
        for name in names
    ]
    for index, (ref, other) in enumerate(zip(refs, by, strict=True)):
        if other is None:
            continue
        if None in by[index + 1 :]:
            edit = Edit(ref.span.start, refs[index + 1].span.start, "")
        else:
            edit = Edit(refs[index - 1].span.stop, ref.span.stop, "")
        commented = "#" in ref.span.source.text[edit.start : edit.stop]
        help = f"take `{ref.text}` out"
        message = f"`{other.text}` already comes after `{ref.text}`"
        yield Finding(ref.span, message, help, None if commented else Fix(help, (edit,)))


def _waits(name: str, wanted: str, after: Mapping[str, Sequence[str]]) -> bool:
    """Whether an item comes after another one, directly or not."""
    waiting, seen = list(after.get(name, ())), set[str]()
    while waiting:
        current = waiting.pop()
        if current == wanted:
            return True
        if current not in seen:
            seen.add(current)
            waiting += after.get(current, ())
    return False
