from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Edit, Finding, Fix, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.source import Span


class LastTurnStrict(Rule):
    """`strict` decides whether the next turn comes. After the last turn none does, so it has no
    effect there. Whoever wrote it may have wanted `veto`, which takes the turn's worth away.
    """

    code = "L109"
    name = "last-turn-strict"
    family = "structure"
    title = "`strict` in the last turn of a task"
    bad = (
        Bad(
            "item searches weight 2 strict { check called search }",
            fixed="item searches weight 2 { check called search }",
        ),
    )
    good = (
        """
task trip {
  turn ask  { user "Hello" item searches strict { check called search } }
  turn book { user "Book it" item books { check called book } }
}
""",
        "item searches weight 2 { check called search }",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            turns = placed.task.turns
            if not placed.item.strict or not turns or turns[-1].name != placed.scope:
                continue
            written = [one.span for one in placed.node.modifiers if one.word == "strict"]
            span = written[0] if written else placed.node.span
            fix = Fix("take `strict` out", (_word_out(span),)) if written else None
            message = f"no turn follows that `{placed.item.name}` could hold back"
            help = "take `strict` out; `veto` would take the turn's worth away"
            yield Finding(span, message, help, fix)


def _word_out(span: Span) -> Edit:
    """A word taken out, with the blanks before it."""
    before = span.source.text[: span.start]
    return Edit(len(before.rstrip(" \t")), span.stop, "")
