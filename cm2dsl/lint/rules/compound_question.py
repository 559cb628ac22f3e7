from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject, words_of
from cm2dsl.lint.words import QUOTED

MARK = re.compile(r"\?+(?=\s|$|[^\w?])|\uff1f+")
SUBJECT = (
    r"(?:it|they|he|she|(?:the|its|their|each|every)\s+(?:\w+\s+)?"
    r"(?:reply|replies|agent|assistant|tutor|answer|response|message|user|customer))\b"
)
ENGLISH = re.compile(
    r"\b(?:and|or|but)\s+(?:(?:do|does|did|can|could|will|would|should)\s+(?:the|it|they|he|she)"
    rf"\b|(?:is|are|was|were|has|have|had)\s+{SUBJECT})",
    re.IGNORECASE,
)
VERB = (
    "agrees?|confirms?|explains?|provides?|mentions?|tells?|apologi[sz]es?|thanks?|refuses?"
    "|declines?|includes?|describes?|suggests?|recommends?|acknowledges?|commits?|avoids?"
    "|verif(?:y|ies)|summari[sz]es?|warns?|reminds?|informs?|identif(?:y|ies)|refrains?|gives?"
    "|says?|asks?|offers?|keeps?|transfers?|proceeds?"
    "|(?:names?|states?|lists?|shows?|calls?|books?|cancels?|checks?|returns?|refunds?|answers?)"
    "(?= (?:the|a|an|its|their|each|every|all|that|whether|any|no|how|what)\\b)"
)
INSIDE = r"\b(?:that|whether|how|what|which|who|where|when|why|if|to|can|will|would|should|be)\b"
"""What begins a part of a sentence: after it, a second verb may belong to that part."""
SECOND = re.compile(
    rf"(?:do|does|did|has|have|will|can|is it true that|is this so:)\b(?:(?!{INSIDE})[^?,;])*"
    rf"(?P<second>,? and (?:also |then |explicitly |clearly |politely )?(?:{VERB})\b)",
    re.IGNORECASE,
)
ASKS = "有没有|是不是|是否|能不能|会不会|能否"
JOINED = re.compile(rf"(?:{ASKS}).+?((?:并且|而且|以及|同时)[^，,；;？?]{{0,8}}?(?:{ASKS}))")
LISTED = re.compile(rf"(?:{ASKS})([^，,；;？?]+)[，,；;]\s*((?:{ASKS}))|(吗)[，,；;].+吗")
"""Two questions side by side; after a word such as 问 the second is what is asked of the user."""
TELLS = re.compile("问|告诉|说明|确认|核实|解释|交代|提醒|讲清|说清|查")
ALSO = re.compile(
    rf"(?:{ASKS})([^，,；;？?]+)[，,；;]\s*((?:也|并|还|又|同时|而且|并且)没?有?[^，？?]{{2}})"
)


class CompoundQuestion(Rule):
    """A judge has one answer for two questions. Where one of them is yes and the other no, it picks
    one, and the policy learns whichever half is easier. Two items have two weights.
    """

    code = "L206"
    name = "compound-question"
    family = "wording"
    title = "two questions in one `ask`"
    bad = (
        Bad(
            'item priced { ask "Does the reply name a price and does it name the day?" '
            'fail "Names none" }'
        ),
        Bad('item priced { ask "Is a price named? Is it the lowest?" fail "Names none" }'),
        Bad('item 报价 { ask "回复是否说了价格，并且是否说了日期？" fail "没有说" }'),
        Bad('item 报价 { ask "回复有没有说价格，有没有说日期？" fail "没有说" }'),
        Bad('item 报价 { ask "回复是不是报了价格，也给出了日期？" fail "没有报" }'),
        Bad('item priced { ask "Does the agent refuse and offer another day?" fail "Books" }'),
        Bad('item refuses { ask "Is it true that the agent refuses and tells why?" fail "Books" }'),
    )
    good = (
        'item priced { ask "Does the reply name a flight that is late and has a new time?" '
        'fail "Names none" }',
        'item asks { ask "Does the reply ask “Which day?” or the like?" fail "Asks nothing" }',
        'item asks { ask "Does the reply say that it will check and confirm?" fail "Asks" }',
        'item asks { ask "Does the reply name the day and the time?" fail "Asks" }',
        'item asks { ask "Does the reply decline or offer another day?" fail "Asks" }',
        'item 说明 { ask "回复有没有提醒病人要空腹，也要带卡？" fail "没有说" }',
        'item asks { ask "Does the reply ask \'Which day?\'?" fail "Asks nothing" }',
        'item 询问 { ask "回复有没有问病人，有没有过敏？" fail "没有问" }',
        'item 说明 { ask "回复有没有说明是不是可以退款？" fail "没有说" }',
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for _, entry in subject.said("ask"):
            second = _second(QUOTED.sub("…", words_of(entry.text)))
            if second is not None:
                message = f"a second question begins at `{second}`"
                help = "ask one thing: make two items of it, each with its weight"
                yield Finding(entry.text.span, message, help)


def _second(text: str) -> str | None:
    """How the second question in a text begins."""
    marks = list(MARK.finditer(text))
    if len(marks) > 1:
        return " ".join(text[marks[0].end() :].split()[:3])
    if found := ENGLISH.search(text):
        return found[0]
    if found := SECOND.match(text.strip()):
        return found["second"].strip(" ,")
    if found := JOINED.search(text):
        return found[1]
    if (found := ALSO.search(text)) and not TELLS.search(found[1]):
        return found[2]
    found = LISTED.search(text)
    if found is None or (found[1] and TELLS.search(found[1])):
        return None
    return found[2] or found[3]
