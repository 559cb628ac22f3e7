"""A text that a JSON Schema takes, as people would write it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from cm2dsl.floor.pattern import text_for
from cm2dsl.init.usual import FORMATS, USUAL, said_in, usual

LONGEST = 200
"""Letters above which a text that must be so long is no example."""

DIGITS, CAPITALS, SMALL = "4721850396", "KQTMBXWRHN", "kqtmbxwrhn"
"""What stands for any digit or letter, place by place: ids look so, and nobody guesses them."""


def takes_text(schema: Mapping[str, Any], text: str) -> bool:
    """Whether the lengths and the pattern of a schema take a text."""
    least, most, pattern = _limits(schema)
    fits = least <= len(text) and (most is None or len(text) <= most)
    return fits and (pattern is None or matches(text, pattern))


def text_of(schema: Mapping[str, Any], name: str, used: Collection[str]) -> str | None:
    """A text for an argument of a name, rather not one that is used already; None if none is sure.

    A known format binds; so a text for another pattern than that of its format is none.
    """
    least, most, pattern = _limits(schema)
    if least > LONGEST:
        return None
    form = schema.get("format")
    if isinstance(form, str) and form in FORMATS:
        return FORMATS[form] if takes_text(schema, FORMATS[form]) else None
    known = [*said_in(schema.get("description")), *usual(name)]
    if pattern is not None:
        made = text_for(pattern)
        known += [*FORMATS.values(), *(value for _, value in USUAL)]
        known += [varied(made, pattern), made] if made is not None else []
    elif most is None or most > 0:
        plain = usual(name)[0]
        known.append((plain + "a" * (least - len(plain)))[:most])
    fitting = [one for one in known if one and takes_text(schema, one)]
    return next((one for one in fitting if one not in used), fitting[0] if fitting else None)


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern is found in a text; one that Python does not read is found in none."""
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return False


def varied(text: str, pattern: str) -> str:
    """A text with other digits and letters wherever the pattern takes them: no row of the same."""
    letters = list(text)
    for place, letter in enumerate(text):
        for kind in (DIGITS, CAPITALS, SMALL):
            if letter.isascii() and letter.isalnum() and _is_like(letter, kind):
                other = [*letters[:place], kind[place % len(kind)], *letters[place + 1 :]]
                letters = other if matches("".join(other), pattern) else letters
    return "".join(letters)


def _is_like(letter: str, kind: str) -> bool:
    return letter.isdigit() == kind[0].isdigit() and letter.isupper() == kind[0].isupper()


def _limits(schema: Mapping[str, Any]) -> tuple[int, int | None, str | None]:
    """Shortest, longest and pattern; what is none of these takes no text at all."""
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    pattern = schema.get("pattern")
    odd = not isinstance(least, int) or not isinstance(most, int | None)
    if odd or not isinstance(pattern, str | None):
        return LONGEST + 1, 0, None
    return least, most, pattern
