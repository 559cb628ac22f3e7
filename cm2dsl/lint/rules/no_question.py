from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

OPEN = re.compile(
    r"(?:^|[.;:!]\s+)(?:to what extent|what|which|who|whose|when|where|why|how)\b(?![^?]*,[^?]*\?)"
    r"|\bon a scale\b|\b(?:rate|score) (?:the|this|its)\b",
    re.IGNORECASE,
)
OPEN_ZH = re.compile("什么|怎么|怎样|如何|哪|多少|几[个次张天元]|谁|为何|打几分|打分")
YES_NO_ZH = re.compile(r"吗|吧|有没有|没有[？?]|了没|是否|能否|可否|与否|(.)[不没]\1")
"""`有没有`, and any verb that is said with and without 不: `是不是`, `会不会`, `说没说`."""
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
        Bad('item priced { ask "On a scale of 1 to 5, is the reply good?" fail "Names none" }'),
        Bad('item 报价 { ask "回复说的价格是多少？" fail "没有说" }'),
    )
    good = (
        'item priced { ask "Does the reply name a price?" fail "Names none" }',
        'item 报价 { ask "回复有没有说价格是多少？" fail "没有说" }',
        'item 报价 { ask "回复说没说为什么不能退？" fail "没有说" }',
        'item late { ask "When it is late, does the reply say so?" fail "Says nothing" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask"):
            text = words_of(entry.text).strip()
            if not any(mark in text for mark in MARKS):
                message, help = "this is no question", "ask what is answered by yes or no, with `?`"
            elif OPEN.search(text) or (OPEN_ZH.search(text) and not YES_NO_ZH.search(text)):
                message = "this cannot be answered by yes or no"
                help = "ask whether it is so: `Does the reply …?`"
            else:
                continue
            yield Finding(entry.text.span, message, help)
