"""Words of texts, English and Chinese. No rule: rules share it."""

from __future__ import annotations

import re

HAN = re.compile(r"[\u3400-\u9fff]")
"""A letter of Chinese, which is written without spaces."""

QUOTED = re.compile(
    r'"[^"]*"|\u201c[^\u201d]*\u201d|\u2018[^\u2019]*\u2019|\u300c[^\u300d]*\u300d|`[^`]*`'
    r"|(?<!\w)'[^']*'(?!\w)"
)
"""What a text quotes, marks included."""


def is_longer(text: str, words: int, letters: int) -> bool:
    """Whether a text has at least so many words, or so many Chinese letters."""
    return len(text.split()) >= words or len(HAN.findall(text)) >= letters
