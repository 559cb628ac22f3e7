"""Which language a spec asks its judge in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cm2dsl import ir
from cm2dsl.prompts import Language

_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3040-\u30ff]")
_LATIN = re.compile("[A-Za-z]")


def language_of(spec: ir.Spec) -> Language:
    """The language of most of the spec's questions, for one of instructions: Chinese or English.

    It is one for the whole spec, so that all prompts of a dialogue begin alike.
    """
    chinese = [is_chinese(question) for question in _questions(spec)]
    return "zh" if 2 * sum(chinese) > len(chinese) else "en"


def _questions(spec: ir.Spec) -> Iterator[str]:
    """The words of every `ask`, without values of rows."""
    for task in spec.tasks:
        for items in (task.items, *(turn.items for turn in task.turns)):
            for item in items:
                if item.ask is not None:
                    yield "".join(part for part in item.ask if isinstance(part, str))


def is_chinese(text: str) -> bool:
    """Whether a text is Chinese, though it may name a tool or two, or English with a Chinese name.

    A Chinese letter says as much as two or three of English. Japanese writes Chinese letters too.
    """
    han = len(_HAN.findall(text))
    return 2 * han > len(_LATIN.findall(text)) and not _KANA.search(text)
