from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject
from cm2dsl.lint.words import HAN, QUOTED

LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]{2,}")
FEW = 2


class MixedLanguages(Rule):
    """A judge that is asked in one language and shown examples in another has to translate, and
    small judges do it badly. Mostly the text was copied from another spec.
    """

    code = "L214"
    name = "mixed-languages"
    family = "wording"
    title = "an example in another language than its question"
    bad = (
        Bad('item 报价 { ask "回复有没有说价格？" fail "Says that it is cheap" }'),
        Bad('item priced { ask "Does the reply name a price?" fail "没有说价格" }'),
    )
    good = (
        'item 报价 { ask "回复有没有说 KF12 的价格？" fail "只说 KF12 很便宜" }',
        'item 报价 { ask "回复有没有说价格？" pass "CNY 120" fail "没有说" }',
        'item greets { ask "Does the reply say “您好” or the like?" fail "Begins with a price" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            said = [entry for entry in criterion.entries if isinstance(entry, nodes.Said)]
            ask = next((entry for entry in said if entry.word == "ask"), None)
            asked = _language(ask.text) if ask is not None else None
            for entry in said:
                other = _language(entry.text)
                if ask is not None and asked and other and other != asked:
                    message = f"this `{entry.word}` is {other}, and the question is {asked}"
                    help = "write both in one language"
                    related = ((ask.text.span, "the question"),)
                    yield Finding(entry.text.span, message, help, related=related)


def _language(text: nodes.String) -> str | None:
    """The language that a text is clearly in, by its letters; what it quotes and fills in is not.

    A few Latin words in a Chinese text are names and codes; Chinese in an English one is a quote.
    """
    own = QUOTED.sub(" ", " ".join(part for part in text.parts if isinstance(part, str)))
    han, latin = len(HAN.findall(own)), len(LATIN.findall(own))
    if han >= FEW and han > 2 * latin:
        return "in Chinese"
    lower = [word for word in LATIN.findall(own) if word.islower()]
    return "in a Latin script" if not han and len(lower) >= FEW else None
