from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

OPENING, CLOSING = "\"“'‘`「『", "\"”'’`」』"
TEXT = f"([^{OPENING}{CLOSING}]+)"
CODE = r"(\{[\w.\[\]]+\}|(?=[A-Z-]*\d)[A-Z\d][A-Z\d-]{3,}(?![\w-]))"
"""A reference, or a code such as KF902: letters and digits that nobody writes in another way."""
SUBJECT = (
    r"(?:the|its|this) (?:final |last )?"
    r"(?:(?:agent|assistant|bot|tutor)(?:['\u2019]s (?:final )?(?:reply|response|answer|message))?"
    "|reply|response|answer|message)"
)
NOUN = r"(?: (?:the|a)(?: \w+)?(?: (?:word|words|phrase|text|string|code|number|id))?)?"
VERB = "(?:contain|include|mention|quote|state|name|say|give)"
ENGLISH = rf"(?:does|did) {SUBJECT} (?:explicitly )?{VERB}{NOUN} "
CHINESE = "(?:回复|回答)[里中]?(?:有没有|是否|是不是)(?:包含|含有|提到|出现|说出?|写出?)了?"
ASKED = re.compile(
    rf"\s*(?:(?i:{ENGLISH})|{CHINESE})"
    rf"(?:[{OPENING}]{TEXT}[{CLOSING}]|{CODE})\s*吗?[?\uff1f]\s*"
)


class AskedLiteral(Rule):
    """Whether some words stand in the reply is no matter of judgement. A check finds them at once,
    at no cost, and never errs; a judge may be asked for what the check leaves open.
    """

    code = "L402"
    name = "asked-literal"
    family = "reward"
    title = "a judge that is asked whether words stand in the reply"
    bad = (
        Bad(r'item says { ask "Does the reply contain \"KF12\"?" fail "Names none" }'),
        Bad('item 说 { ask "回复里有没有提到“KF12”？" fail "没有提到" }'),
        Bad('item says { ask "Does the final reply name the flight KF12?" fail "Names none" }'),
        Bad(
            """
task trip each row in "rows.csv" {
  turn ask {
    user "To {row.to}"
    item says { ask "Does the agent's reply mention {row.to}?" fail "Names none" }
  }
}
"""
        ),
    )
    good = (
        'item says { check reply contains "KF12" }',
        r"""item says {
  check reply contains "KF12"
  ask "Does the reply mention \"KF12\"?"
  fail "Names none"
}""",
        r'item says { ask "Does the reply explain what \"KF12\" is?" fail "Names it only" }',
        'item says { ask "Does the reply name a price?" fail "Names none" }',
        'item says { ask "Does the reply say that KF12 is late?" fail "Says that it is on time" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion, entry in subject.said("ask"):
            if any(isinstance(one, nodes.Check) for one in criterion.entries):
                continue
            focus = [one.channel.text for one in criterion.entries if isinstance(one, nodes.Focus)]
            match = ASKED.fullmatch(words_of(entry.text))
            if match is not None and focus in ([], ["reply"]):
                words = match[1] or match[2]
                message = f"whether `{words}` stands in the reply is asked of a judge"
                help = f'let code look: `check reply contains "{words}"`'
                yield Finding(entry.text.span, message, help)
