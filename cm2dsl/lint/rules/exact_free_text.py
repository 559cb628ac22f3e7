from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, constraints_of, items_of, words_of
from cm2dsl.lint.words import is_longer

WORDS = 5
"""Words from which on a text is a sentence, that nobody says twice in the same way."""
LETTERS = 10
"""The same in Chinese letters."""
DATA = re.compile(r"\s*[\[{<\-+#|]|.*\n", re.DOTALL)
"""What a program wrote, and an agent hands on: lists, JSON, a file's lines."""


class ExactFreeText(Rule):
    """Nobody writes a sentence twice in the same words. A check that compares an argument with one
    by `==` fails every agent but the one of the recording. Look for the words that matter. What the
    user dictates, a text that stands in a message of the user word for word, can be compared, and
    so can what a program wrote: JSON, a list, several lines.
    """

    code = "L404"
    name = "exact-free-text"
    family = "reward"
    title = "a sentence compared with `==`"
    bad = (
        Bad('item books { check called book(note == "The customer would like a window seat") }'),
        Bad('item 订票 { check called book(note == "客人想要靠窗的位子，最好在前面") }'),
    )
    good = (
        "item books { check called book(note ~ /window/) }",
        'item books { check called book(note == "window seat") }',
        """user "Book KF12 and add the note: I would like a window seat."
item books { check called book(note == "I would like a window seat.") }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        dictated: dict[int, str] = {}
        for node, task in subject.compiled_tasks:
            said = [text for text in (task.simulated, *(turn.user for turn in task.turns)) if text]
            text = "\n".join(part for one in said for part in one if isinstance(part, str))
            dictated |= {id(item): text for item in items_of(node)}
        for criterion in subject.criteria():
            for constraint in constraints_of(criterion):
                value = constraint.value
                if constraint.op != "==" or not isinstance(value, nodes.String):
                    continue
                text = words_of(value)
                if not is_longer(text, WORDS, LETTERS) or DATA.match(text):
                    continue
                if text not in dictated.get(id(criterion), ""):
                    message = "a sentence is compared letter by letter"
                    help = "look for the words that matter: `~ /…/` or `contains`"
                    yield Finding(value.span, message, help)
