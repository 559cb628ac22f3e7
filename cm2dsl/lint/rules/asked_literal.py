from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of

OPENING, CLOSING = "\"“'‘`「『", "\"”'’`」』"
TEXT = f"([^{OPENING}{CLOSING}]+)"
NOUN = "(?: (?:the|a) (?:word|words|phrase|text|string|code|number))?"
ENGLISH = (
    f"does (?:the|its|this) (?:reply|response|answer) (?:contain|include|mention|quote){NOUN} "
)
CHINESE = "回复[里中]?(?:有没有|是否|是不是)(?:包含|含有|提到|出现)了?"
ASKED = re.compile(
    rf"\s*(?:{ENGLISH}|{CHINESE})[{OPENING}]{TEXT}[{CLOSING}]\s*吗?[?\uff1f]\s*", re.IGNORECASE
)


class AskedLiteral(Rule):
    """Whether some words stand in the reply is no matter of judgement. A check finds them at once,
    at no cost, and never errs; a judge may be asked for what the check leaves open.
    """

    code = "L402"
    name = "asked-literal"
    family = "reward"
    title = "a judge is asked whether words stand in the reply"
    bad = (
        Bad(r'item says { ask "Does the reply contain \"KF12\"?" fail "Names none" }'),
        Bad('item 说 { ask "回复里有没有提到“KF12”？" fail "没有提到" }'),
    )
    good = (
        'item says { check reply contains "KF12" }',
        r"""item says {
  check reply contains "KF12"
  ask "Does the reply mention \"KF12\"?"
  fail "Names none"
}""",
        r'item says { ask "Does the reply explain what \"KF12\" is?" fail "Names it only" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion, entry in subject.said("ask"):
            if any(isinstance(one, nodes.Check) for one in criterion.entries):
                continue
            focus = [one.channel.text for one in criterion.entries if isinstance(one, nodes.Focus)]
            match = ASKED.fullmatch(words_of(entry.text))
            if match is not None and focus in ([], ["reply"]):
                message = f"whether `{match[1]}` stands in the reply is asked of a judge"
                help = f'let code look: `check reply contains "{match[1]}"`'
                yield Finding(entry.text.span, message, help)
