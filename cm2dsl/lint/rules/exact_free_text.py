from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

WORDS = 5
"""Words from which on a text is a sentence, that nobody says twice in the same way."""


class ExactFreeText(Rule):
    """Nobody writes a sentence twice in the same words. A check that compares an argument with one
    by `==` fails every agent but the one of the recording. Look for the words that matter.
    """

    code = "L404"
    name = "exact-free-text"
    family = "reward"
    title = "a sentence compared with `==`"
    bad = (
        Bad('item books { check called book(note == "The customer would like a window seat") }'),
    )
    good = (
        "item books { check called book(note ~ /window/) }",
        'item books { check called book(note == "window seat") }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for constraint in subject.constraints():
            value = constraint.value
            if constraint.op != "==" or not isinstance(value, nodes.String):
                continue
            if len(words_of(value).split()) >= WORDS:
                message = "a sentence is compared letter by letter"
                help = "look for the words that matter: `~ /…/` or `contains`"
                yield Finding(value.span, message, help)
