from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

OPEN = re.compile(r"(?:what|which|who|whose|when|where|why|how)\b", re.IGNORECASE)
MARKS = ("?", "\uff1f")


class NoQuestion(Rule):
    """A judge answers yes or no. What is no question, or one that begins with "what" or "how", has
    no yes: the judge has to guess which answer passes.
    """

    code = "L204"
    name = "no-yes-no-question"
    family = "wording"
    title = "an `ask` that cannot be answered by yes or no"
    bad = (
        Bad('item priced { ask "The reply names a price." fail "Names none" }'),
        Bad('item priced { ask "Which price does the reply name?" fail "Names none" }'),
    )
    good = (
        'item priced { ask "Does the reply name a price?" fail "Names none" }',
        'item 报价 { ask "回复有没有说价格？" fail "没有说" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask"):
            text = words_of(entry.text).strip()
            if not any(mark in text for mark in MARKS):
                message, help = "this is no question", "ask what is answered by yes or no, with `?`"
            elif OPEN.match(text):
                message = "this cannot be answered by yes or no"
                help = "ask whether it is so: `Does the reply …?`"
            else:
                continue
            yield Finding(entry.text.span, message, help)
