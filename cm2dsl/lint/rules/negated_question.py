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
    r"(?:是不是|是否)(?:都|也|并|从来|始终)?(?:没有|没(?!有)|未|不)(?![只仅光止但单超同足到少多低高错]|问题)"
)


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
        Bad('item 不报价 { ask "回复是不是没有说价格？" fail "说了价格" }'),
    )
    good = (
        'item unpriced { ask "Does the reply leave the price out?" fail "Names one" }',
        'item told { ask "Does the reply say that the fare is not refunded?" fail "Says it is" }',
        'item both { ask "Does the reply not only refuse but say why?" fail "Refuses only" }',
        'item 全部 { ask "回复是不是不只说了价格？" fail "只说了价格" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask"):
            text = words_of(entry.text)
            found = NEGATED.match(text) or CHINESE.search(text)
            if found is not None:
                message = f"yes to `{found[0].strip()} …` can mean either"
                help = "ask for what must be there, such as: does the reply leave the price out?"
                yield Finding(entry.text.span, message, help)
