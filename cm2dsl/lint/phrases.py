"""The words of the judge's templates, as far as a prompt's length depends on them. No rule."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cm2dsl.ir import Channel, Kind
from cm2dsl.prompts import Language


class Phrases(Struct, frozen=True):
    """What `prompts/judge.user.*.jinja` says around the texts, with its line ends.

    `of_turn`, `of_dialogue` and `where` are filled; `joint` stands between names of segments.
    """

    told: str
    tools: str
    no_tools: str
    dialogue: str
    more: str
    criterion: str
    focus: Mapping[Channel, str]
    of_turn: str
    of_dialogue: str
    where: str
    joint: str
    nowhere: str
    kinds: Mapping[Kind, str]
    passes: str
    fails: str
    end: str


EN = Phrases(
    told="# What the agent was told\n",
    tools="# The agent's tools\n",
    no_tools="None.\n",
    dialogue="\n# The dialogue\n",
    more="\n# More of the dialogue, for this criterion\n",
    criterion="\n# The criterion\n",
    focus={
        "user": "what the user says",
        "reasoning": "what the agent thinks",
        "tool_call": "the agent's tool calls",
        "tool_result": "what the tools returned",
        "reply": "the agent's replies",
    },
    of_turn="Judge turn {turn}, with the rest only to understand it, by {focus}",
    of_dialogue="Judge the whole dialogue by {focus}",
    where=" ({names}).\n\n",
    joint=", ",
    nowhere="there are none",
    kinds={
        "always": "This must be so all the time: once that it is not is a fail.\n",
        "never": "This must never be so: once that it is so is a fail, and a pass is that it is so "
        "nowhere.\n",
        "at_end": "What counts is how things stand at the end.\n",
    },
    passes="It is a pass if:\n",
    fails="It is a fail if:\n",
    end="\nDecide, and answer with the JSON object.",
)
ZH = Phrases(
    told="# 智能体得到的指示\n",
    tools="# 智能体的工具\n",
    no_tools="无。\n",
    dialogue="\n# 对话\n",
    more="\n# 判断本条标准还需要看的片段\n",
    criterion="\n# 标准\n",
    focus={
        "user": "用户的话",
        "reasoning": "智能体的思考",
        "tool_call": "智能体的工具调用",
        "tool_result": "工具返回的结果",
        "reply": "智能体的回复",
    },
    of_turn="只判断第 {turn} 轮，其余仅供理解，依据是{focus}",
    of_dialogue="判断整段对话，依据是{focus}",
    where="（{names}）。\n\n",
    joint="、",
    nowhere="没有",
    kinds={
        "always": '必须始终如此：有一次不是这样，就是 "fail"。\n',
        "never": '绝不能如此：有一次是这样，就是 "fail"；从未如此，就是 "pass"。\n',
        "at_end": "以结束时的情形为准。\n",
    },
    passes='以下情形为 "pass"：\n',
    fails='以下情形为 "fail"：\n',
    end="\n作出判断，用 JSON 对象作答。",
)
PHRASES: Mapping[Language, Phrases] = {"en": EN, "zh": ZH}
