"""Which object a record in a tool's result tells of, by the keys that such records have.

A record is of one object where one key names it: `id`, `order_id`, `bookingNumber`, `booking`,
`编号`. Of several, the one counts that is of the kind of the list it stands in, or that was asked
for; without such a one, all together. A value such as `K7Q2MB` names the same object wherever it
stands; a value such as `1` only under the same kind of key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Scalar = str | int | float | bool | None
Identity = frozenset[tuple[str, str]]
"""(kind, name) of what names an object; kind is empty where the name does for itself."""

_ALONE = frozenset({"id", "uuid", "number", "code", "reference", "ref", "pnr", "key", "编号", "号"})
_SUFFIX = re.compile(r"(.+?)(?:_id|Id|ID|_uuid|_number|Number|_reference|_ref|编号|号)")
_OF_OTHERS = re.compile(
    r"(request|trace|session|correlation|phone|card|passport|zip|page|line|seat|电话|手机|身份证)",
    re.IGNORECASE,
)
"""Names of what is no object of the world's, or is only a piece of what is told of one."""

_THINGS = frozenset(
    {
        *("booking", "reservation", "order", "ticket", "account", "flight"),
        *("invoice", "case", "customer", "patient", "product"),
    }
)
_DISTINCT = re.compile(r"(?=.*[0-9])[A-Za-z0-9#_-]{4,}")
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}.*|[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}")


@dataclass(frozen=True, slots=True)
class _Named:
    """What a key and its value name. `kind` is that of the object, in the singular."""

    kind: str
    name: str
    distinct: bool

    @property
    def pair(self) -> tuple[str, str]:
        return ("" if self.distinct else self.kind), self.name


def identity(
    record: Mapping[str, Any], kind: str, asked: Collection[str] = frozenset()
) -> Identity:
    """What names a record's object; empty where nothing does.

    `kind` is the key that the record stands under, `asked` are the names that were asked for.
    """
    kind = kind.lower().rstrip("s")
    own = {key: value for key, value in record.items() if key.lower() in ("id", "uuid")}
    found = [one for key, value in (own or record).items() if (one := _named(key, value, kind))]
    of_kind = [one for one in found if one.kind == kind]
    wanted = [one for one in found if one.name in asked]
    for chosen in (of_kind, wanted):
        if len(chosen) == 1:
            return frozenset({chosen[0].pair})
    return frozenset(one.pair for one in found)


def is_distinct(value: Scalar) -> bool:
    """Whether a value is a name wherever it stands."""
    text = value if isinstance(value, str) else ""
    return bool(_DISTINCT.fullmatch(text)) and not _DATE.fullmatch(text)


def names_of(arguments: Mapping[str, Any]) -> Iterator[str]:
    """The names of objects among the arguments of a call, wherever they stand in them."""
    for key, value in leaves(arguments):
        if is_distinct(value) or _named(key, value, ""):
            yield plain(value)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Scalar]]:
    """(the nearest key, the value) of all that is no list and no object."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner, key)
    else:
        yield key, value


def plain(value: Scalar) -> str:
    """A value as it is compared: without case and spaces around, 120.0 as 120."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).split()).casefold()


def _named(key: str, value: Any, kind: str) -> _Named | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or not plain(value):
        return None
    lower = key.lower()
    if lower in _ALONE:
        own = kind
    elif _OF_OTHERS.search(key):
        return None
    elif lower in _THINGS:
        if isinstance(value, str) and not re.search("[0-9]", value):
            return None
        own = lower
    elif match := _SUFFIX.fullmatch(key):
        own = match[1].lower()
    else:
        return None
    return _Named(own.rstrip("s"), plain(value), is_distinct(value))
