from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.lint.words import QUOTED

ENGLISH = (
    "appropriate",
    "appropriately",
    "adequate",
    "adequately",
    "properly",
    "reasonable",
    "reasonably",
    "sufficient",
    "sufficiently",
    "suitable",
    "suitably",
    "satisfactory",
    "helpful",
    "helpfully",
    "useful",
    "effective",
    "effectively",
    "comprehensive",
    "comprehensively",
    "thorough",
    "thoroughly",
    "meaningful",
    "well-structured",
    "user-friendly",
    "as expected",
    "in a timely manner",
    "high-quality",
    "good enough",
    "as needed",
    "if necessary",
)
CHINESE = (
    "适当",
    "恰当",
    "合适",
    "合理",
    "足够好",
    "良好",
    "尽量",
    "必要时",
    "妥善",
    "到位",
    "完善",
    "令人满意",
    "有帮助",
)
SAID = re.compile(
    r"\b(?:says?|said|states?|stated|tells?|told|claims?|claimed|thinks?|finds?)\b[^?]*\bthat\b.*",
    re.IGNORECASE | re.DOTALL,
)
"""What the reply is to say, in its own words, is not the judge's to weigh."""
VAGUE = re.compile(rf"\b(?:{'|'.join(ENGLISH)})\b|{'|'.join(CHINESE)}", re.IGNORECASE)


class VagueWord(Rule):
    """Two judges read "appropriate" in two ways, and the policy finds the third. Say what has to be
    there: a price, an apology, a date.
    """

    code = "L203"
    name = "vague-word"
    family = "wording"
    title = "a word that every judge understands differently"
    bad = (
        Bad('item answers { ask "Is the reply appropriate?" fail "Says nothing of the price" }'),
        Bad('item answers { ask "Is the response helpful to the user?" fail "Only greets" }'),
        Bad('item 回答 { ask "回复是否恰当？" fail "没有说价格" }'),
    )
    good = (
        'item answers { ask "Does the reply name a price?" fail "Names none" }',
        'item says { ask "Does the reply call it “appropriate”?" fail "Says nothing of it" }',
        'item says { ask "Does the reply say that it is a useful fare?" fail "Says nothing" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask", "pass"):
            match = VAGUE.search(SAID.sub("", QUOTED.sub(" ", words_of(entry.text))))
            if match is not None:
                message = f"`{match[0]}` says nothing that can be looked for"
                yield Finding(entry.text.span, message, "say what must be there to pass")
