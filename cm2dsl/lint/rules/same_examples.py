from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

WORD = re.compile(r"[\w{}.\-+%/]*\w|[+-]?\w")
ARTICLES = ("a", "an", "the")


class SameExamples(Rule):
    """What passes and what fails in the same words tells the judge nothing, or is a slip: one of
    the two was copied and never changed.
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
    )
    good = (
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
            passes = {tuple(_words(one.text)): one for one in said if one.word == "pass"}
            passes.pop((), None)
            for entry in said:
                other = passes.get(tuple(_words(entry.text)))
                if entry.word == "fail" and other is not None:
                    message = "this fails in the words in which another passes"
                    help = "say what sets the two apart"
                    related = ((other.text.span, "this passes"),)
                    yield Finding(entry.text.span, message, help, related=related)


def _words(text: nodes.String) -> list[str]:
    """The words in their order, without case, marks and articles; Chinese as a run of letters."""
    plain = unicodedata.normalize("NFKC", words_of(text)).casefold()
    words = [word for word in WORD.findall(plain) if word not in ARTICLES]
    return list("".join(words)) if _unspaced(plain) else words


def _unspaced(text: str) -> bool:
    return re.search(r"[\u3400-\u9fff]", text) is not None
