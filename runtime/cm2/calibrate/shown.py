"""Texts of strangers as people are shown them: nothing in them acts on a terminal or a page."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from cm2.calibrate.figures import Figures, Interval


def visible(text: str) -> str:
    """The text with control and invisible letters written out, so that they can do nothing.

    New lines and tabs stay: `\\x1b` would colour or clear a terminal, and a letter such as U+202E
    would turn the text around.
    """
    return "".join(_visible(letter) for letter in text)


def on_one_line(text: str) -> str:
    """The same, with white space as single spaces."""
    return visible(" ".join(text.split()))


def _visible(letter: str) -> str:
    if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Co", "Cs"):
        return letter
    code = ord(letter)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def interval(value: Interval) -> str:
    low, high = value
    return "-" if math.isnan(low) else f"{low:.2f} to {high:.2f}"


HEAD = ("n", "dialogues", "errors", "accuracy", "95%", "κ", "95% of κ")
"""The columns of `row`."""


def row(one: Figures) -> Sequence[str]:
    """Figures as a row of a table."""
    return (
        str(one.n),
        str(one.dialogues),
        str(one.left_out),
        number(one.accuracy),
        interval(one.accuracy_interval),
        number(one.kappa),
        interval(one.kappa_interval),
    )
