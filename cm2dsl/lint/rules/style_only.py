from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.lint.rule import Bad, Finding, Rule
from cm2dsl.lint.subject import Subject

STYLE = (
    "polite politely politeness friendly kind kindly courteous courteously concise concisely "
    "brief tone warm professional professionally empathetic respectful respectfully style "
    "short fluent natural cheerful clear clearly understandable readable well structured"
)
FILLER = (
    "is are was were does do did the a an reply replies agent assistant tutor answer response "
    "message its in of to user customer student and or with manner way it each every all "
    "throughout always very use uses keep keeps stay stays sound sounds remain remains be speak "
    "write written have has towards dialogue conversation"
)
STYLE_ZH = re.compile(
    "礼貌|友好|友善|亲切|热情|语气|口吻|态度|平和|温和|简洁|简短|得体|客气|耐心|体谅|体贴|专业|自然"
)
FILLER_ZH = re.compile(
    "回复|回答|客服|助手|预约台|是不是|是否|有没有|够不够|吗|用户|病人|客户|学生|全程|始终|整个|对话"
    "|保持|使用|[的地得和且又并很对用里中，、。？?\\s]"
)


class StyleOnly(Rule):
    """Any reply can be polite, also one that does nothing. An item that looks at style alone is the
    easiest of its turn; where none is worth more, the policy gets as much for manners as for the
    task, and where it is the only one, manners are all there is to learn. Give it a smaller weight.
    """

    code = "L208"
    name = "style-only"
    family = "wording"
    title = "a question of style alone that weighs as much as what the turn is for"
    bad = (
        Bad(
            """item polite { ask "Is the reply polite and friendly?" fail "Scolds the user" }
item priced { check reply contains "120" }"""
        ),
        Bad(
            """item polite { ask "Is the reply clear and concise?" fail "Begins with a history" }
never books veto { check called book }"""
        ),
        Bad(
            """item 礼貌 { ask "回复的语气是不是礼貌？" fail "催促用户" }
item 报价 { check reply contains "120" }"""
        ),
    )
    good = (
        """item polite weight 0.5 { ask "Is the reply polite?" fail "Scolds the user" }
item priced { check reply contains "120" }""",
        """item sorry { ask "Does the reply politely decline the refund?" fail "Scolds the user" }
item priced { check reply contains "120" }""",
    )

    def check(self, subject: Subject) -> Iterator[Finding]:
        for placed in subject.placed():
            item = placed.item
            if item.expr is not None or item.ask is None or not _is_style(item.ask):
                continue
            others = (one.weight for one in placed.items if one is not item)
            if item.weight and item.weight >= max(others, default=0):
                message = f"`{item.name}` is about style, and no item of the turn is worth more"
                help = "give it less weight than what the turn is for: `weight 0.5`"
                yield Finding(placed.span, message, help)


WORD = re.compile(r"[a-z]+")
STYLE_WORDS, KNOWN_WORDS = frozenset(STYLE.split()), frozenset(f"{STYLE} {FILLER}".split())


def _is_style(ask: ir.Text) -> bool:
    """Whether a question has no content but words of style."""
    if not all(isinstance(part, str) for part in ask):
        return False
    text = "".join(str(part) for part in ask)
    words = set(WORD.findall(text.casefold()))
    if words:
        return not words.isdisjoint(STYLE_WORDS) and words <= KNOWN_WORDS
    return STYLE_ZH.search(text) is not None and not FILLER_ZH.sub("", STYLE_ZH.sub("", text))
