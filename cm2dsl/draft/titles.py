"""What a task is called, made from what the user says first."""

from __future__ import annotations

import re
from collections.abc import Collection

from cm2dsl.names import name_of

TITLE = 56
"""Characters of the first request that a task's title shows."""

NAME = 32
"""Characters that the words of a request give a task's name."""

WORD = 20
"""Characters of one word of it: text without spaces is one word."""


def task_name(request: str, taken: Collection[str]) -> str:
    """A task's name: the first words of what the user asks for."""
    words: list[str] = []
    for word in re.findall(r"\w+", re.sub(r"['’]", "", request)):
        if words and len("_".join([*words, word[:WORD]])) > NAME:
            break
        words.append(word[:WORD])
    return name_of(" ".join(words), taken, "task")


def task_title(request: str) -> str:
    """A task's title: how the request begins, on one line."""
    words = " ".join(request.split())
    return words if len(words) <= TITLE else f"{start(words, TITLE - 1)}…"


def start(text: str, most: int) -> str:
    """The first words of a text; a piece of the first where the text has no spaces."""
    if len(text) <= most:
        return text
    return text[: most + 1].rpartition(" ")[0].rstrip() or text[:most]
