from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

WORD = re.compile(r"[\u3400-\u9fff]|[^\W\d_]+(?:['\u2019]\w+)?")
FEWEST = 4
"""Words, or Han letters, that a question has at least: who, does what, to what."""


class TerseQuestion(Rule):
    """A question of two or three words leaves out of whom, and where, something is asked. A judge
    fills that in, each time in another way. Say who does what.
    """

    code = "L215"
    name = "terse-question"
    family = "wording"
    title = "a question of fewer than four words"
    bad = (
        Bad('item polite { ask "Polite enough?" fail "Scolds the user" }'),
        Bad('item 礼貌 { ask "礼貌吗？" fail "责怪用户" }'),
    )
    good = (
        'item polite { ask "Does the reply thank the user?" fail "Begins with the price" }',
        'item 礼貌 { ask "回复有没有感谢用户？" fail "一开头就说价格" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask"):
            if len(WORD.findall(words_of(entry.text))) < FEWEST:
                message = "the question is too short to say who does what"
                help = "ask in a whole sentence: `Does the reply …?`"
                yield Finding(entry.text.span, message, help)
