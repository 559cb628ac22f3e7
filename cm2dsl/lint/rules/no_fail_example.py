from __future__ import annotations

from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject


class NoFailExample(Rule):
    """A judge that is shown only the question passes what is nearly right. One example of a failure
    draws the line: the paper's annotated checklists have `failure_examples` for every item
    (arXiv 2602.12268).
    """

    code = "L205"
    name = "no-fail-example"
    family = "wording"
    title = "a question to a judge without a `fail` example"
    bad = (Bad('item priced { ask "Does the reply name a price?" }'),)
    good = (
        'item priced { ask "Does the reply name a price?" fail "Says that it is cheap" }',
        "item answers { check replied }",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion, entry in subject.said("ask"):
            words = {e.word for e in criterion.entries if isinstance(e, nodes.Said)}
            if "fail" not in words:
                message = f"`{criterion.name.text}` has no `fail` example"
                help = 'say what does not pass, though it nearly does: `fail "…"`'
                yield Finding(entry.span, message, help)
