"""JSON and JSON Lines, read strictly: what two readers could understand differently is refused.

Refused are NaN and infinities (also fractions and powers too large for a double, and whole numbers
of more than 4,300 digits: shorter ones are exact), a key that occurs twice in one object, half a
surrogate pair (it cannot be written as UTF-8), invalid UTF-8, and nesting too deep to read.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

_BOM = b"\xef\xbb\xbf"


class JsonError(ValueError):
    """A text that is not strict JSON. `help` says what to do.

    `position` is the character, from 0, where the text stops being JSON, where that is known.
    """

    def __init__(self, message: str, help: str, position: int | None = None) -> None:
        super().__init__(f"{message}; {help}")
        self.message = message
        self.help = help
        self.position = position


def lines(file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1; a byte order mark is left out."""
    for number, line in enumerate(file, start=1):
        text = line.removeprefix(_BOM) if number == 1 else line
        if text.strip():
            yield number, text


def parse(text: str | bytes) -> Any:
    """The JSON value of a text. Raises JsonError."""
    if isinstance(text, bytes):
        text = _decode(text)
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            _refuse_half_pairs(value)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        position = min(error.pos, len(text.rstrip()))
        message = f"not JSON at column {position + 1}: {what}"
        raise JsonError(message, "write one JSON value", position) from None
    except RecursionError:
        raise JsonError("nested too deeply to read", "write it flatter") from None
    return value


def parse_object(text: str) -> dict[str, Any] | None:
    """The object that a text stands for, or None where it is not strictly a JSON object.

    The same as `parse`, and some times faster on what is small and in order.
    """
    try:
        value: dict[str, Any] = _decode_object(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _parse_object(text)
    # A key that occurs twice leaves a colon over, unless one that is in a string was escaped.
    colons = text.count(":")
    if colons == len(value) or (_encode(value).count(b":") == colons and "\\u003" not in text):
        return value
    return _parse_object(text)


def _parse_object(text: str) -> dict[str, Any] | None:
    try:
        value = parse(text)
    except JsonError:
        return None
    return value if isinstance(value, dict) else None


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} is 0x{text[error.start]:02x}"
        raise JsonError(f"not UTF-8: {byte}", "save the text as UTF-8") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise JsonError(f"the key `{twice}` occurs twice in one object", "keep one of them")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _too_large(text)
    return value


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python reads no more than some thousand digits
        raise _too_large(text) from None


def _too_large(text: str) -> JsonError:
    shown = text if len(text) <= 20 else f"{text[:19]}…"
    return JsonError(f"the number `{shown}` is too large", "write one that fits a double")


def _constant(text: str) -> Any:
    raise JsonError(f"`{text}` is not JSON", "write a finite number or null")


_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant
)


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        message = "a string holds half a surrogate pair"
        raise JsonError(message, "write the whole character") from None
