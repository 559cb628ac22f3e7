from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

WORD = re.compile(r"[^\W_][\w{}.\-'\u2019]*")
AUXILIARY = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had")
NOT = re.compile(rf"not|no|never|(?:{'|'.join(AUXILIARY)}|can)n['\u2019]t")
SMALL = ("a", "an", "the", "any", *AUXILIARY)
ASKED = re.compile(r"(?P<who>[^，,]*?)(?:有没有|是否|是不是)(?P<what>[^，,？?]+)[？?]?")
DENIED = re.compile(r"(?P<who>[^，,]*?)(?:没有|没|未|不)(?P<what>[^，,。]+)。?")


class NegatedFail(Rule):
    """To say that "Does not name a price" fails "Does the reply name a price?" tells the judge what
    it knows. An example earns its place where it draws the line: what nearly passes.
    """

    code = "L212"
    name = "negated-fail"
    family = "wording"
    title = "a `fail` that is the question with a `not`"
    bad = (
        Bad('item priced { ask "Does the reply name a price?" fail "Does not name a price" }'),
        Bad('item priced { ask "Does the reply name a price?" fail "The reply names no price" }'),
        Bad('item 报价 { ask "回复有没有说价格？" fail "没有说价格" }'),
    )
    good = (
        'item priced { ask "Does the reply name a price?" fail "Says that it is cheap" }',
        'item priced { ask "Does the reply name a price?" fail "Names no price, or a wrong one" }',
        'item late { ask "Does it say that it is late?" fail "Says that it is not late" }',
        'item 报价 { ask "回复有没有说价格？" fail "没有说价格，只说便宜" }',
        'item 报价 { ask "回复有没有说价格？" fail "没有说" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            said = [entry for entry in criterion.entries if isinstance(entry, nodes.Said)]
            asks = [words_of(entry.text) for entry in said if entry.word == "ask"]
            for entry in said:
                fail = words_of(entry.text).strip()
                if entry.word == "fail" and any(_denies(fail, ask.strip()) for ask in asks):
                    message = "this `fail` is the question with a `not`"
                    help = "show what does not pass, though it nearly does"
                    yield Finding(entry.text.span, message, help)


def _denies(fail: str, ask: str) -> bool:
    """Whether a text says no to a question, in the question's own words."""
    asked, denied = ASKED.fullmatch(ask), DENIED.fullmatch(fail)
    if asked is not None and denied is not None:
        return asked["what"] == denied["what"] and denied["who"] in ("", asked["who"])
    words = WORD.findall(fail.casefold())
    rest = [_stem(word) for word in words if not NOT.fullmatch(word) and word not in SMALL]
    wanted = [_stem(word) for word in WORD.findall(ask.casefold()) if word not in SMALL]
    if not rest or rest not in (wanted, wanted[1:]):
        return False
    return 0 <= _before_not(words) <= (2 if rest == wanted else 1)


def _before_not(words: list[str]) -> int:
    """How many words with content come before the first `not`; -1 where there is none.

    Before one that denies the whole there is a subject and a verb at most.
    """
    place = next((at for at, word in enumerate(words) if NOT.fullmatch(word)), None)
    return -1 if place is None else sum(word not in SMALL for word in words[:place])


def _stem(word: str) -> str:
    """The word without the endings of verbs and plurals."""
    word = word.rstrip(".'\u2019")
    return re.sub(r"(?<=\w\w)(?:es|s|ed|e)$", "", word)
