from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.lint.words import HAN

LETTERS = 3


class ShortAnchor(Rule):
    """Two letters stand almost anywhere. Such an anchor still holds when the recording says
    something else, and shows a reviewer nothing. A Chinese letter counts as two.
    """

    code = "L304"
    name = "short-anchor"
    family = "evidence"
    title = "an anchor of fewer than three letters"
    bad = (
        Bad(
            """item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF"
}"""
        ),
    )
    good = (
        """item names {
  ask    "Does the reply name the flight?"
  fail   "Names none"
  anchor reply "KF12"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            for entry in criterion.entries:
                if not isinstance(entry, nodes.Anchor):
                    continue
                text = words_of(entry.text).strip()
                filled = any(not isinstance(part, str) for part in entry.text.parts)
                if not filled and len(text) + len(HAN.findall(text)) < LETTERS:
                    message = f"the anchor `{text}` is so short that it stands almost anywhere"
                    yield Finding(entry.span, message, "quote a few words")
