from __future__ import annotations

from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject

LEAST = 0.02
"""The share of its turn below which an item is hidden, if others have much more."""


class HiddenWeight(Rule):
    """Weights are divided by their sum. Beside one of 100 a weight of 1 is a hundredth of the turn:
    less than the noise in a judge's answers, so that nothing is learned from it.
    """

    code = "L111"
    name = "hidden-weight"
    family = "structure"
    title = "an item with less than 2% of its turn"
    bad = (
        Bad(
            """item searches weight 100 { check called search }
item answers { check replied }"""
        ),
    )
    good = (
        """item searches weight 10 { check called search }
item answers { check replied }
never books veto { check called book }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            task, weight = placed.task, placed.item.weight
            turn = next((one for one in task.turns if one.name == placed.scope), None)
            items = turn.items if turn is not None else task.items
            count = sum(1 for item in items if item.weight)
            if 0 < weight < LEAST and weight * count < 0.5:
                message = f"`{placed.item.name}` has {weight:.1%} of its turn's weight"
                help = "give it more, give others less, or make it a `veto` or a `penalty`"
                yield Finding(placed.node.span, message, help)
