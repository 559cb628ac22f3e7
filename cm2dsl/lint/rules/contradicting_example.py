from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.denial import affirms, denies
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of


class ContradictingExample(Rule):
    """A `pass` that says no to the question, or a `fail` that says yes to it, tells the judge the
    opposite of what it is asked. Whichever it follows, half of its verdicts are wrong. Mostly the
    question was turned round and its examples were not.
    """

    code = "L216"
    name = "contradicting-example"
    family = "wording"
    title = "a `pass` or a `fail` that contradicts its question"
    severity = "error"
    bad = (
        Bad(
            """item priced {
  ask  "Does the reply name a price?"
  pass "Does not name a price"
  fail "Says that it is cheap"
}"""
        ),
        Bad('item priced { ask "Does the reply name a price?" fail "Names a price" }'),
        Bad('item priced { ask "Does the reply name a price?" fail "The reply names the price." }'),
        Bad('item 报价 { ask "回复有没有说价格？" pass "没有说价格" fail "只说便宜" }'),
        Bad('item 报价 { ask "回复有没有说价格？" fail "说了价格" }'),
    )
    good = (
        """item priced {
  ask  "Does the reply name a price?"
  pass "Names a price"
  fail "Names a price that no result contains"
}""",
        'item priced { ask "Does the reply name no price?" fail "Names a price" }',
        'item 报价 { ask "回复有没有说价格？" pass "说了价格" fail "没有说价格，只说便宜" }',
        'item 报价 { ask "回复是不是没有说价格？" fail "说了价格" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion in subject.criteria():
            said = [entry for entry in criterion.entries if isinstance(entry, nodes.Said)]
            ask = next((entry for entry in said if entry.word == "ask"), None)
            if ask is None:
                continue
            question = words_of(ask.text).strip()
            for entry in said:
                text = words_of(entry.text).strip()
                if entry.word == "pass" and denies(text, question):
                    message = "this `pass` says no to the question"
                elif entry.word == "fail" and affirms(text, question):
                    message = "this `fail` says yes to the question"
                else:
                    continue
                help = "turn the example round, or the question"
                related = ((ask.text.span, "the question"),)
                yield Finding(entry.text.span, message, help, related=related)
