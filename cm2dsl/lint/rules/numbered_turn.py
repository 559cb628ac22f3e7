from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

NUMBERED = re.compile(
    r"\b(?:(?:turn|step|round)\s*#?\s*(?:\d+|one|two|three|four|five)"
    r"|(?:first|second|third|fourth|\d+(?:st|nd|rd|th))\s+"
    r"(?:turn|step|round|reply|response|message|user message|answer)(?! of\b)"
    r"|t\d+\.s\d+\.(?:reply|reasoning|tool_call|tool_result))\b"
    r"|第\s*[一二三四五六七八九十\d]+\s*(?:轮|步|回合|[次条个](?:回复|回答|消息|提问))",
    re.IGNORECASE,
)


class NumberedTurn(Rule):
    """Text that counts turns or steps is wrong as soon as a dialogue goes another way, and a judge
    that sees one turn cannot count. The item's place says which turn it is about; `after` says
    what comes before.
    """

    code = "L202"
    name = "numbered-turn"
    family = "wording"
    title = "a turn or step number in the text"
    bad = (
        Bad('item priced { ask "Does the reply in turn 2 name a price?" fail "Names none" }'),
        Bad('item 报价 { ask "第二轮的回复有没有说价格？" fail "没有说" }'),
        Bad('item priced { ask "Does the second reply name a price?" fail "Names none" }'),
        Bad('item priced { ask "Is a price named?" pass "Named in t0.s1.reply" fail "None" }'),
    )
    good = (
        'item priced { ask "Does the reply name the first flight?" fail "Names the second" }',
        'item told { ask "Does the reply name the first step of the return?" fail "Names none" }',
        'item told { ask "Does the reply say what the next step is?" fail "Says nothing" }',
        'item priced { ask "Does the reply name a price?" fail "Names none" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said():
            match = NUMBERED.search(words_of(entry.text))
            if match is not None:
                message = f"`{entry.word}` counts: `{match[0]}`"
                help = "leave the number out: the item stands in its turn, and `after` orders items"
                yield Finding(entry.text.span, message, help)
