from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

AUXILIARY = r"(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should)"
NEGATED = re.compile(
    rf"\s*(?:{AUXILIARY}\s+(?:it|they|he|she|(?:(?:the|a|an|each|every|any|all)\s+)?\w+)\s+not\b"
    r"(?!\s+(?:to|only|just|merely|more|less|fewer)\b)"
    rf"|(?:{AUXILIARY}n|can|won)['\u2019]t\b)",
    re.IGNORECASE,
)
CHINESE = re.compile(
    r"\s*(?P<all>(?:[^，,？?有是能会可要]|有(?!没有)|是(?!不是)|能(?!不能)|会(?!不会)|可(?!不可)|要(?!不要))*?"
    r"(?:没有|没(?!有)|未(?!来)|不(?![只仅光止但单超同足到少多低高错])))[^，,？?]*吗[？?]?\s*$"
)
"""Yes to `没有说价格吗` says it either way; to `是不是没有说价格` it says one thing."""


class NegatedQuestion(Rule):
    """Does "yes" to "Does the reply not name a price?" mean that it does, or that it does not?
    Judges read it either way, and the verdict is turned round. Ask for what has to be there.
    """

    code = "L211"
    name = "negated-question"
    family = "wording"
    title = "a negated question, to which yes can mean either"
    bad = (
        Bad('item unpriced { ask "Does the reply not name a price?" fail "Names one" }'),
        Bad('item unpriced { ask "Isn\'t the price left out?" fail "Names one" }'),
        Bad('item 不报价 { ask "回复没有说价格吗？" fail "说了价格" }'),
    )
    good = (
        'item unpriced { ask "Does the reply leave the price out?" fail "Names one" }',
        'item told { ask "Does the reply say that the fare is not refunded?" fail "Says it is" }',
        'item both { ask "Does the reply not only refuse but say why?" fail "Refuses only" }',
        'item 全部 { ask "回复是不是没有说价格？" fail "说了价格" }',
        'item 全部 { ask "回复不只说了价格吗？" fail "只说了价格" }',
        'item 全部 { ask "回复有没有说价格，是真的吗？" fail "只说了日期" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask"):
            text = words_of(entry.text)
            found = NEGATED.match(text) or CHINESE.match(text)
            if found is not None:
                begins = (found["all"] if found.re is CHINESE else found[0]).strip()
                message = f"yes to `{begins} …` can mean either"
                help = "ask for what must be there, such as: does the reply leave the price out?"
                yield Finding(entry.text.span, message, help)
