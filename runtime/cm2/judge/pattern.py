"""Patterns of texts, as every backend that decodes under a schema reads them."""

from __future__ import annotations

import re
from re import _parser  # type: ignore[attr-defined]  # no public module says how long a match can be

FORMATS = {
    "date": r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    "time": r"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-][01][0-9]:[0-5][0-9])$",
    "date-time": (
        r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-][01][0-9]:[0-5][0-9])$"
    ),
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "email": r"^[a-z0-9][a-z0-9._-]{0,30}@[a-z0-9][a-z0-9-]{0,30}[.][a-z]{2,6}$",
    "ipv4": r"^((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])$",
}
"""Patterns for the formats that JSON Schema names; others are free text."""

_UNKNOWN_TO_SOME = re.compile(r"\(\?(?!:)|\\[bBAZzGkKpP1-9]|[*+?}][+]")
"""What of a pattern not every backend can read: the text is then free, and checked afterwards."""

_LONGEST = 4096
"""Letters of a text whose pattern bounds it."""

_REPEATED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[*+]|\{([0-9]+),\}", re.DOTALL)


def bounded(pattern: str, letters: int) -> str | None:
    """The pattern for a whole text, no part of it repeated more than so often.

    What it bounds itself stays as it is. None for one that not every backend reads, or that matches
    much longer texts all the same.
    """
    if _UNKNOWN_TO_SOME.search(pattern):
        return None
    inner = pattern
    anchored = inner.startswith("^"), inner.endswith("$") and not inner.endswith("\\$")
    inner = inner[1:] if anchored[0] else inner
    inner = inner[:-1] if anchored[1] else inner

    def counted(match: re.Match[str]) -> str:
        if match[0] in "*+":
            return f"{{{int(match[0] == '+')},{letters}}}"
        return match[0] if match[1] is None else f"{{{match[1]},{max(int(match[1]), letters)}}}"

    whole = _REPEATED.sub(counted, inner)
    whole = f"^({whole})$" if "|" in whole else f"^{whole}$"
    try:
        own, longest = width(f"({inner})"), width(whole)
    except re.error:
        return None
    most = _LONGEST if own == longest else 4 * letters
    inside = re.sub(r"\[.*?\]", "", whole[1:-1])
    return None if longest > most or re.search(r"(?<!\\)[\^$]", inside) else whole


def width(pattern: str) -> int:
    """Letters of the longest text that a pattern matches. Raises re.error."""
    return int(_parser.parse(pattern).getwidth()[1])
