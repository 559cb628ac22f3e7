"""A text that a regular expression takes: the first choice of each, as often as it must be.

It knows what patterns of tool schemas are made of: letters, classes, groups, choices and counts.
What it makes is tried on the expression itself, so that it is right or there is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
COUNT = re.compile(r"\{(\d*)(,?)(\d*)\}")
PREFERRED = "A1a0"
"""What a class is filled with, if it holds it: letters and digits are easiest to read."""
OTHERS = [chr(code) for code in range(0x20, 0x7F)]


class Unknown(Exception):  # noqa: N818 - it ends an attempt, and is no error
    """The expression has a part that is not known here."""


def matching(pattern: str, least: int = 0, most: int | None = None) -> str | None:
    """A text of `least` to `most` characters in which the pattern is found, or None.

    JSON Schema searches for a pattern anywhere in a text.
    """
    try:
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
    for more in (0, 1, 2, 3, 4, 6, 8, 12):
        try:
            text = _Writer(pattern, more).whole()
        except (Unknown, RecursionError):
            return None
        for fitted in (text, text + "A" * (least - len(text)), "A" * (least - len(text)) + text):
            long = most is not None and len(fitted) > most
            if len(fitted) >= least and not long and expression.search(fitted):
                return fitted
    return None


class _Writer:
    """Reads a pattern once, and writes a text as it goes.

    `more` is how often what may be repeated is.
    """

    def __init__(self, pattern: str, more: int) -> None:
        self.pattern = pattern
        self.more = more
        self.at = 0

    def whole(self) -> str:
        text = self.choices()
        if self.at < len(self.pattern):
            raise Unknown
        return text

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        if not char:
            raise Unknown
        self.at += 1
        return char

    def choices(self) -> str:
        """Alternatives up to a closing bracket or the end: the first of them."""
        found = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            found.append(self.sequence())
        return next((text for text in found if text), found[0])

    def sequence(self) -> str:
        text = ""
        while self.peek() not in ("", "|", ")"):
            text += self.repeated(self.piece())
        return text

    def piece(self) -> str:
        char = self.take()
        match char:
            case "^" | "$":
                return ""
            case ".":
                return "a"
            case "[":
                return self.one_of()
            case "(":
                return self.group()
            case "\\":
                return self.escape()
            case "*" | "+" | "?" | "{":
                raise Unknown
        return char

    def group(self) -> str:
        if self.peek() == "?":
            start = re.compile(r"\?(?::|P<\w+>|<\w+>)").match(self.pattern, self.at)
            if start is None:
                raise Unknown
            self.at = start.end()
        text = self.choices()
        if self.take() != ")":
            raise Unknown
        return text

    def escape(self) -> str:
        char = self.take()
        if char in "bBAZ":
            return ""
        if char in CLASSES:
            return CLASSES[char]
        return self.letter(char)

    def letter(self, char: str) -> str:
        """What an escape stands for that is one character."""
        if char in CONTROL:
            return CONTROL[char]
        if char in "xu":
            digits = self.pattern[self.at : self.at + (2 if char == "x" else 4)]
            self.at += len(digits)
            try:
                return chr(int(digits, 16))
            except ValueError:
                raise Unknown from None
        if char.isalnum():
            raise Unknown
        return char

    def one_of(self) -> str:
        """A character that a class `[…]` takes; the class is tried as it is written."""
        start = self.at - 1
        if self.peek() == "^":
            self.at += 1
        first = True
        while first or self.peek() != "]":
            first = False
            if self.take() == "\\":
                self.take()
        self.at += 1
        written = self.pattern[start : self.at]
        inside = re.compile(written)
        own: list[str] = [char for char in written[1:-1] if not char.isascii()]
        for char in [*PREFERRED, *OTHERS, *own]:
            if inside.fullmatch(char):
                return str(char)
        raise Unknown

    def repeated(self, piece: str) -> str:
        """A piece as often as what follows it wants."""
        mark = self.peek()
        if mark in ("*", "+", "?"):
            self.at += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[mark]
            return piece * self.times(least, most)
        count = COUNT.match(self.pattern, self.at)
        if count is None or not (count[1] or count[3]):
            return piece
        self.at = count.end()
        least = int(count[1] or 0)
        upper = int(count[3]) if count[3] else (None if count[2] else least)
        if least > 1000:
            raise Unknown
        return piece * self.times(least, upper)

    def times(self, least: int, most: int | None) -> int:
        if self.peek() in ("?", "+"):  # lazy and possessive take the same texts
            self.at += 1
        wanted = least + self.more
        return wanted if most is None else min(wanted, most)


def first_matching(texts: Sequence[str], pattern: str) -> str | None:
    """The first of some texts in which the pattern is found."""
    try:
        return next((text for text in texts if re.search(pattern, text)), None)
    except (re.error, RecursionError, OverflowError):
        return None
