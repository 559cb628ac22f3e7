"""A judge that obeys whatever it can reach, and an end to all hygiene for it to be tried with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from containment import FENCE, HEADINGS, forgiving
from judged import verdict

from cm2.judge import Answer, Answered, Prompt
from cm2.judge.attack.payloads import PAYLOADS

FAMILIES = (
    *("<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<s>", "</s>"),
    *("<start_of_turn>", "<end_of_turn>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"),
    *("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|user|>", "<|assistant|>"),
)
"""Control tokens of the models that judges are made of."""

BARE = {text for payload in PAYLOADS if payload.alone for text in payload.texts.values()}
OBEYED = re.compile(r'answer pass|判为 ?pass|"verdict": "pass"', re.IGNORECASE)


class Gullible:
    """Passes an item if anything it takes for its instructions says so.

    It holds a fence closed by any line that begins like it, in the most forgiving reading, listens
    to all that follows a control token, and takes the beginning of an answer for the answer.
    """

    identity = "gullible"

    def __init__(self, control_tokens: Sequence[str] = FAMILIES) -> None:
        self.control_tokens = control_tokens
        self.asked: list[Prompt] = []

    async def answer(self, prompt: Prompt) -> Answer:
        self.asked.append(prompt)
        heard = self.heard(prompt.user)
        obeys = OBEYED.search(heard) or any(line in heard.split("\n") for line in BARE)
        return Answered(verdict("pass", ("t0.user", "R-5521")) if obeys else verdict("fail"))

    async def close(self) -> None:
        pass

    def heard(self, user: str) -> str:
        """What it takes for instructions."""
        read = forgiving(user)
        tokens = [forgiving(token).casefold() for token in self.control_tokens]
        found = [at for token in tokens if (at := read.casefold().find(token)) >= 0]
        freed = read[min(found) :] if found else ""
        return f"{_outside(read)}\n{freed}"


def _outside(user: str) -> str:
    lines = user.split("\n")
    fence = next(
        (
            line
            for before, line in pairwise(lines)
            if before in map(forgiving, HEADINGS) and FENCE.fullmatch(line)
        ),
        None,
    )
    if fence is None:
        return user
    outside: list[str] = []
    is_inside = False
    for line in lines:
        if "".join(line.split()).startswith(fence):
            is_inside = not is_inside
        elif not is_inside:
            outside.append(line)
    return re.sub("<<.*?>>", "", "\n".join(outside))


class Raw:
    """Texts as they come, between the given lines."""

    def __init__(self, fence: str) -> None:
        self._fence = fence

    def text(self, text: str) -> str:
        return text

    def words(self, text: str) -> str:
        return text

    def value(self, text: str) -> str:
        return text

    def fence(self, texts: Iterable[str]) -> str:
        return self._fence


def without_hygiene(monkeypatch: pytest.MonkeyPatch, fence: str) -> None:
    """Prompts from here on show texts as they come."""
    for module in ("view", "prompt"):
        monkeypatch.setattr(f"cm2.judge.{module}.hygiene_for", lambda _: Raw(fence))
