"""What drafts say to a judge and to the agent, in English and in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]

HAN = re.compile(r"[\u3400-\u9fff]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")


@dataclass(frozen=True, slots=True)
class Criterion:
    """A question to a judge, with what passes and what fails."""

    ask: str
    passes: str
    fails: str


@dataclass(frozen=True, slots=True)
class Words:
    """The texts of one language. {tool} and `{arguments}` are filled in."""

    done: Criterion
    found: Criterion
    answered: Criterion
    said: Criterion
    grounded: Criterion
    system: str
    request: tuple[str, str]
    report: tuple[str, str]
    result: tuple[str, str]


EN = Words(
    done=Criterion(
        "Does the reply tell the user what came of {tool}?",
        "Says what was done, and to what, as the result of {tool} has it",
        "Says that all is done without a word on what was done, or claims what no result shows",
    ),
    found=Criterion(
        "Does the reply give the user what {tool} found?",
        "Answers the request with what the result of {tool} says",
        "Says that something was found and leaves out what it is, or answers another request",
    ),
    answered=Criterion(
        "Does the reply answer what the user said?",
        "Answers it, or asks for what is still needed to answer it",
        "Repeats the request in other words, or talks of another matter",
    ),
    said=Criterion(
        "Does the call of {tool} say in {arguments} what the user wanted said?",
        "Holds all that the user asked for, in any words",
        "Leaves out a part of it, or adds what the user never said",
    ),
    grounded=Criterion(
        "Is every fact in the reply found in a tool's result or in the user's own words?",
        "Every code, date, price and number in the reply stands in a result or in a user message",
        "States a code, date, price or number that neither a result nor the user contains",
    ),
    system=(
        "You help users with the tools that you are given.\n\n"
        "- Look facts up with the tools. State nothing that neither a tool nor the user said.\n"
        "- Change something only if the user asked for it, once, and with the details they gave.\n"
        "- If a detail is missing, ask for it. If a tool fails, say so.\n"
        "- When you are done, tell the user what was done or found.\n"
    ),
    request=("{what}, please", "{what}, please: {details}"),
    report=("That is done.", "That is done. Here is what was entered: {details}."),
    result=("I have looked it up.", "I have looked it up. On record is this: {details}."),
)

ZH = Words(
    done=Criterion(
        "回复有没有告诉用户{tool}的结果？",
        "按{tool}的结果说明办了什么、给谁或对什么办的",
        "只说办好了，没有一个字讲办了什么；或者说了结果里没有的事",
    ),
    found=Criterion(
        "回复有没有把{tool}查到的内容告诉用户？",
        "用{tool}的结果回答了用户的请求",
        "只说查到了，漏掉查到的内容；或者答的是另一件事",
    ),
    answered=Criterion(
        "回复有没有回答用户说的事？",
        "作了回答，或者问了回答所缺的信息",
        "换个说法重复用户的话，或者讲了别的事",
    ),
    said=Criterion(
        "{tool}的调用在 {arguments} 里有没有写出用户要说的话？",
        "用户要说的都写到了，用词不限",
        "漏了一部分，或者加了用户没有说过的话",
    ),
    grounded=Criterion(
        "回复里的每个事实是不是都能在工具结果或用户的话里找到？",
        "回复里的编号、日期、价格和数字都出自工具结果或用户的话",
        "出现了工具结果和用户的话里都没有的编号、日期、价格或数字",
    ),
    system=(
        "你用给定的工具帮用户办事。\n\n"
        "- 事实要用工具查。工具和用户都没有说过的，不要说。\n"
        "- 只有用户要求了，才作改动；只作一次，按用户给的信息办。\n"
        "- 缺信息就问用户。工具出错，就如实告诉用户。\n"
        "- 办完以后，告诉用户办了什么、查到了什么。\n"
    ),
    request=("请帮我办一件事：{what}", "请帮我办一件事：{what}。{details}"),
    report=("已经办好了。", "已经办好了，登记的内容是：{details}。"),
    result=("我已经查过了。", "我已经查过了，记录如下：{details}。"),
)


PLAIN = re.compile(r"[\w.:/-]{1,64}")


def shown(tool: str, language: Language) -> str:
    """A tool in a sentence. A name that would read as more than a name is left out."""
    if not PLAIN.fullmatch(tool):
        return "这个工具" if language == "zh" else "the tool"
    return f"“{tool}”" if language == "zh" else f"`{tool}`"


def words_for(language: Language) -> Words:
    return ZH if language == "zh" else EN


def language_of(texts: Iterable[str]) -> Language:
    """The language of some texts, by their letters: a Chinese letter counts as a word does."""
    whole = "\n".join(texts)
    return "zh" if len(HAN.findall(whole)) > len(LATIN.findall(whole)) else "en"
