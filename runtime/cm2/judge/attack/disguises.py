"""How an attacker hides a text from what looks for it, though a model may still read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_ALIKE = str.maketrans("aceopxyisjAEO=|<>", "асеорхуіѕјАЕО꞊ǀ‹›")
_PADDING = "la " * 3_000


def _full_width(text: str) -> str:
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    return text.translate(wide | {0x20: 0x3000})


def _zero_width(text: str) -> str:
    return "\u200b".join(text)


def _tags(text: str) -> str:
    """Text in the letters of Unicode's tags, which nothing displays and many models read."""
    return "OK" + "".join(chr(0xE0000 + ord(letter)) for letter in text if letter.isascii())


def _variation(text: str) -> str:
    """Text in variation selectors behind one letter, a byte each."""
    selectors = (0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16 for byte in text.encode())
    return "O" + "".join(map(chr, selectors))


def _backwards(text: str) -> str:
    return "\n".join(f"\u202e{line[::-1]}\u202c" for line in text.split("\n"))


def _accents(text: str) -> str:
    return "".join(f"{letter}\u0301" if letter.isalnum() else letter for letter in text)


DISGUISES: Mapping[str, Callable[[str], str]] = {
    "full_width": _full_width,
    "zero_width": _zero_width,
    "tags": _tags,
    "variation": _variation,
    "backwards": _backwards,
    "look_alikes": lambda text: text.translate(_ALIKE),
    "accents": _accents,
    "ansi": lambda text: f"\x1b[2J\x1b[H{text}\x1b[8m",
    "carriage": lambda text: text.replace("\n", "\r"),
    "separator": lambda text: text.replace("\n", "\u2028"),
    "surrogate": lambda text: f"\ud83d{text}\udc4d",
    "capitals": str.upper,
    "far_away": lambda text: f"{_PADDING}\n{text}",
    "far_before": lambda text: f"{text}\n{_PADDING}",
}
