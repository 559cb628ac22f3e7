from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.lint.words import HAN

WORD = re.compile(r"[\w{}.\-+%/]*\w|[+-]?\w")
ARTICLES = ("a", "an", "the")
OR = re.compile(r",\s+or\s+|;|；|，?或者?(?!许)")
"""Between things that each suffice; an `or` without a comma may stand inside one of them."""


class SameExamples(Rule):
    """What passes and what fails in the same words tells the judge nothing, or is a slip: one of
    the two was copied and never changed. That is so too where it is one of several: what passes "if
    it names a price or says that there is none" cannot fail where it says that there is none.
    """

    code = "L209"
    name = "same-pass-and-fail"
    family = "wording"
    title = "a `pass` and a `fail` that say the same"
    bad = (
        Bad(
            """item priced {
  ask  "Does the reply name a price?"
  pass "Names the price of a flight"
  fail "names a price of the flight."
}"""
        ),
        Bad(
            """item 报价 {
  ask  "回复有没有说价格？"
  pass "说了价格，用数字"
  fail "说了价格用数字。"
}"""
        ),
        Bad(
            """item priced {
  ask  "Does the reply speak of the price?"
  pass "Names a price, or says that it is free"
  fail "Says that it is free"
}"""
        ),
        Bad(
            """item 报价 {
  ask  "回复有没有说价格？"
  pass "说了价格，或者说明是免费的"
  fail "说明是免费的；或者答非所问"
}"""
        ),
    )
    good = (
        """item priced {
  ask  "Does the reply name a price?"
  pass "Names a price or a range of prices"
  fail "Names a day or a range of days"
}""",
        """item priced {
  ask  "Does the reply name a price?"
  pass "Names a price"
  fail "Names no price"
}""",
        """item ordered {
  ask  "Does the reply name the price first?"
  pass "Names the price before the day"
  fail "Names the day before the price"
}""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            said = [entry for entry in criterion.entries if isinstance(entry, nodes.Said)]
            passes = {words: one for one in said if one.word == "pass" for words in _each(one.text)}
            for entry in said:
                if entry.word != "fail":
                    continue
                other = next(
                    (passes[words] for words in _each(entry.text) if words in passes), None
                )
                if other is not None:
                    message = "this fails in the words in which another passes"
                    help = "say what sets the two apart"
                    related = ((other.text.span, "this passes"),)
                    yield Finding(entry.text.span, message, help, related=related)


def _each(text: nodes.String) -> list[tuple[str, ...]]:
    """The words of a text, and of each of the several things that it says with `or` or a `;`."""
    whole = words_of(text)
    parts = [_words(part) for part in OR.split(whole)]
    alone = [words for words in parts if len(words) > 1]
    return [words for words in (_words(whole), *alone) if words]


def _words(text: str) -> tuple[str, ...]:
    """The words in their order, without case, marks and articles; Chinese as a run of letters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    words = [word for word in WORD.findall(plain) if word not in ARTICLES]
    return tuple("".join(words)) if HAN.search(plain) else tuple(words)
