"""Values as people write them: for a format, for a name, and out of a description."""

from __future__ import annotations

import re
from typing import Any

# An example in a description: `e.g. 'PEK'`, `such as "2026-01-15"`, `例如“儿科”`.
SAID = re.compile(
    r"(?:\be\.g\.,?|\bfor example,?|\bsuch as|\bExample:|例如|比如|如)\s*[:：]?\s*"
    r"""(?:'([^']{1,40})'|"([^"]{1,40})"|`([^`]{1,40})`|“([^”]{1,40})”|「([^」]{1,40})」"""
    r"|([\w@.:/+-]*[\w/]))",
    re.IGNORECASE,
)

FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T10:30:00Z",
    "time": "10:30:00Z",
    "duration": "P1D",
    "email": "li.wei@example.com",
    "idn-email": "li.wei@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/a1",
    "url": "https://example.com/a1",
    "iri": "https://example.com/a1",
    "uri-reference": "https://example.com/a1",
    "iri-reference": "https://example.com/a1",
    "uuid": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "json-pointer": "/a1",
    "regex": "^a1$",
}

USUAL = (
    ("first_name given_name", "Wei"),
    ("last_name family_name surname", "Li"),
    ("id ids uuid code number no ref reference key token booking order ticket account", "A1001"),
    ("email mail", "li.wei@example.com"),
    ("phone tel mobile", "+1-202-555-0147"),
    ("dob birthday", "1990-04-12"),
    ("date day deadline checkin checkout from until 日期 日", "2026-01-15"),
    ("time hour 时间", "10:30"),
    ("datetime timestamp", "2026-01-15T10:30:00"),
    ("city town location place origin destination 城市 地点", "Rome"),
    ("country nation", "Italy"),
    ("currency", "EUR"),
    ("language lang locale", "en"),
    ("url link uri website", "https://example.com/a1"),
    ("path file filename", "a1.txt"),
    ("user username", "li_wei"),
    ("name person passenger customer 姓名", "Li Wei"),
    ("address street", "12 Via Roma"),
    ("zip postcode zipcode", "00184"),
    ("号 编号 证 卡", "A1001"),
)
"""Values for arguments of which the schema says no more than a name, by the words of the name."""

WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def usual(name: str) -> list[str]:
    """Values for an argument of which no more is known than its name; each is as good."""
    words = [word.lower() for word in WORDS.findall(name)]
    for word in ["_".join(words[-2:]), *reversed(words)]:
        for names, value in USUAL:
            if word in names.split() or (not word.isascii() and word[-1] in names.split()):
                return [value] if value != "A1001" else [f"A100{n}" for n in range(1, 10)]
    return [" ".join([*words, letter]) for letter in "ABC"]


def said_in(description: Any) -> list[str]:
    """The examples in a description."""
    if not isinstance(description, str):
        return []
    found = [
        next(group for group in match.groups() if group) for match in SAID.finditer(description)
    ]
    return [text for text in found if text.strip() == text]
