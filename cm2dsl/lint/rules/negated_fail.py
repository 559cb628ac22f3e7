from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.denial import denies
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of


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
                if entry.word == "fail" and any(denies(fail, ask.strip()) for ask in asks):
                    message = "this `fail` is the question with a `not`"
                    help = "show what does not pass, though it nearly does"
                    yield Finding(entry.text.span, message, help)
