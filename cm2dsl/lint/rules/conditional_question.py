from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import nodes
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Criterion, Subject, words_of

LEADING = re.compile(
    r"\s*(?:if|when|whenever|unless|in case|in the event|provided that)\b[^,?]*,", re.IGNORECASE
)
TRAILING = re.compile(
    r",\s*(?:but )?(?:only )?(?:if|unless|in case)\b[^?]*"
    r"|\bif (?:any|known|asked|needed|possible|available|there is one|there are any)(?=\s*\?)",
    re.IGNORECASE,
)
TELLS = re.compile(r"\b(?:what|how|whether|whom|which)\b", re.IGNORECASE)
"""Before a trailing condition: it may belong to what the reply says, as in "what to do, if …"."""
AT_THE_END = re.compile(
    r"\b(?:if|when|whenever|unless|in case)\s+(?:the|it|they|there|a|an|no|any|its|user|he|she)\b"
    r"[^?,]*(?=\?\s*$)",
    re.IGNORECASE,
)
SAYS = re.compile(
    r"\b(?:that|what|how|whether|whom|which|where|why|to|ask|say|tell|explain|state|mention|know"
    r"|indicate|warn|advise|suggest|describe|instruct|commit|promise|offer|check|see|confirm)s?\b",
    re.IGNORECASE,
)
"""Before a condition at the end without a comma: it is then a part of what is said."""
CHINESE = re.compile(
    r"\s*(?:(?:如果|若(?!干)|假如|假设|倘若|要是|一旦|当(?![前天日地事时中然场班月年晚初下]))"
    r"[^，,？?]*|[^，,？?]*(?:(?<![同小及按准随当临暂平届])时|的时候|的话))[，,]"
)
ELSE = re.compile(
    r"\b(?:if|when|whenever|unless|otherwise|in case)\b"
    r"|如果|若|假如|倘若|要是|否则|不然|时(?![间刻])|的话",
    re.IGNORECASE,
)


class ConditionalQuestion(Rule):
    """Where the condition does not hold, the question has no answer: one judge passes, the other
    does not, and a policy that keeps the condition from arising is paid. Put the item into a turn
    where it holds, or say in a `pass` or a `fail` what counts if it does not.
    """

    code = "L207"
    name = "conditional-question"
    family = "wording"
    title = "a question that is only asked under a condition"
    bad = (
        Bad(
            'item priced { ask "If the flight is sold out, does the reply say so?" '
            'fail "Offers seats" }'
        ),
        Bad('item priced { ask "Does the reply name the fee, if any?" fail "Names another" }'),
        Bad('item priced { ask "Is the fee named if there is one?" fail "Names another" }'),
        Bad('item calm { ask "Is the agent calm when the user gets angry?" fail "Scolds" }'),
        Bad('item priced { ask "Is the fee waived if the flight is late?" fail "Takes a fee" }'),
        Bad('item 报价 { ask "如果号满了，回复有没有说明？" fail "说还有号" }'),
        Bad('item 报价 { ask "病人问价格时，回复有没有回答？" fail "不理" }'),
    )
    good = (
        'item asks { ask "Does the reply ask if the user wants a seat?" fail "Books one at once" }',
        'item tells { ask "Does the reply say what to do, if it is late?" fail "No advice" }',
        'item tells { ask "Does the reply promise a call when the seat is free?" fail "None" }',
        """item tells {
  ask  "If the flight is sold out, does the reply say so?"
  fail "Offers seats, or says nothing of them; otherwise it passes"
}""",
        'item 当天 { ask "当天的号，回复有没有都列出？" fail "漏了" }',
        'item 同时 { ask "回复有没有说费用，同时给出时间？" fail "漏了" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for criterion, entry in subject.said("ask"):
            condition = _condition(words_of(entry.text))
            if condition is not None and not _says_else(criterion):
                message = f"what if it is not so? `{condition}`"
                help = "put it where the condition holds, or say in `pass` or `fail` what counts"
                yield Finding(entry.text.span, message, help)


def _condition(text: str) -> str | None:
    found = LEADING.match(text) or CHINESE.match(text)
    if found is None:
        found = TRAILING.search(text)
        if found is not None and TELLS.search(text[: found.start()]):
            return None
    if found is None:
        found = AT_THE_END.search(text)
        if found is not None and SAYS.search(text[: found.start()]):
            return None
    return found[0].strip(" ,，") if found is not None else None


def _says_else(criterion: Criterion) -> bool:
    """Whether an example of the criterion speaks of the condition too."""
    return any(
        ELSE.search(words_of(entry.text)) is not None
        for entry in criterion.entries
        if isinstance(entry, nodes.Said) and entry.word != "ask"
    )
