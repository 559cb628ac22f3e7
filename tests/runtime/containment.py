"""Prompts taken apart again by a reader that knows nothing of how they were made.

What stands in a prompt outside of its fences and marks is what a judge may take for instructions.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

HEADINGS = (
    "# What the agent was told",
    "# The agent's tools",
    "# 智能体得到的指示",
    "# 智能体的工具",
)
FENCE = re.compile(r"={4}(?:[0-9]+={4})?")
ALIKE = str.maketrans({"꞊": "=", "ǀ": "|", "‹": "<", "›": ">", "\r": "\n", "\u2028": "\n"})
LATIN = str.maketrans("асеорхуіѕјАЕО", "aceopxyisjAEO")


@dataclass(frozen=True)
class Parts:
    """`outside` has FENCE and <<>> where something is kept inside; `blocks` are fenced."""

    outside: str
    blocks: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def inside(self) -> tuple[str, ...]:
        return self.blocks + self.values


def parts(user: str) -> Parts:
    """A prompt's parts. Raises AssertionError where a fence or a mark is left open."""
    lines = user.split("\n")
    fence = next(line for before, line in pairwise(lines) if before in HEADINGS)
    assert FENCE.fullmatch(fence), f"no fence: {fence!r}"
    outside: list[str] = []
    blocks: list[list[str]] = []
    is_inside = False
    for line in lines:
        if line == fence:
            is_inside = not is_inside
            blocks += [[]] if is_inside else []
            outside += ["FENCE"] if is_inside else []
        elif is_inside:
            blocks[-1].append(line)
        else:
            outside.append(line)
    assert not is_inside, "a fence is left open"
    text = "\n".join(outside)
    values = re.findall("<<([^\n]*?)>>", text)
    text = re.sub("<<[^\n]*?>>", "VALUE", text)
    assert "<<" not in text, "a mark is left open"
    assert ">>" not in text, "a mark is closed twice"
    return Parts(text, tuple("\n".join(block) for block in blocks), tuple(values))


def forgiving(text: str) -> str:
    """The text as the most forgiving of readers takes it.

    Look-alikes are what they look like, line ends of any kind end lines, accents and hidden letters
    are passed over, and letters hidden as tags or in variation selectors are read.
    """
    plain = re.sub("\x1b\\[[0-9;]*[A-Za-z]", "", text)
    tags = re.sub("[\U000e0020-\U000e007e]", lambda tag: chr(ord(tag[0]) - 0xE0000), plain)
    selected = re.sub("[\ufe00-\ufe0f\U000e0100-\U000e01ef]+", _selected, tags)
    turned = re.sub("\u202e([^\u202c]*)\u202c", lambda line: line[1][::-1], selected)
    folded = unicodedata.normalize("NFKD", turned.translate(ALIKE).translate(LATIN))
    kept = (
        letter
        for letter in folded
        if letter == "\n" or unicodedata.category(letter) not in ("Mn", "Me", "Cf", "Cc", "Cs")
    )
    return "".join(kept)


def _selected(run: re.Match[str]) -> str:
    codes = (ord(letter) for letter in run[0])
    each = bytes(code - 0xFE00 if code < 0xE0000 else code - 0xE0100 + 16 for code in codes)
    return each.decode("utf-8", "ignore")


def letters(text: str) -> str:
    """Letters and digits of a text, which no escaping and no laying out changes."""
    text = re.sub(r"<U\+[^>]*>|[\ud800-\udfff]", "", text)
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))
