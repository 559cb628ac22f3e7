from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, constraints_of, items_of, words_of
from cm2dsl.lint.words import HAN, is_longer

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
    so can what a program wrote: JSON, a list, several lines. A text that a task compares several
    times is found once.
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
        'item books { check called book(note == "45 Oak Street, Old Town, Rivermist 83214") }',
        """user "Book KF12 and add the note: I would like a window seat."
item books { check called book(note == "I would like a window seat.") }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        dictated: dict[int, tuple[str, str]] = {}
        for node, task in subject.compiled_tasks:
            said = [text for text in (task.simulated, *(turn.user for turn in task.turns)) if text]
            text = "\n".join(part for one in said for part in one if isinstance(part, str))
            dictated |= {id(item): (task.name, text) for item in items_of(node)}
        seen: set[tuple[str, str]] = set()
        for criterion in subject.criteria():
            task_name, by_user = dictated.get(id(criterion), ("", ""))
            for constraint in constraints_of(criterion):
                value = constraint.value
                if constraint.op != "==" or not isinstance(value, nodes.String):
                    continue
                text = words_of(value)
                if not _is_sentence(text) or text in by_user or (task_name, text) in seen:
                    continue
                seen.add((task_name, text))
                message = "a sentence is compared letter by letter"
                help = "look for the words that matter: `~ /…/` or `contains`"
                yield Finding(value.span, message, help)


def _is_sentence(text: str) -> bool:
    """Whether somebody would write the text in words of their own: no data, and no address."""
    if not is_longer(text, WORDS, LETTERS) or DATA.match(text):
        return False
    words = text.split()
    return bool(HAN.search(text)) or 2 * sum(word[:1].islower() for word in words) >= len(words)
