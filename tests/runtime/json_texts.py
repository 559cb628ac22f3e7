"""Random JSON texts, with what two readers may disagree on: keys twice, escapes, odd numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Obj:
    """An object as it is written: its keys may occur twice."""

    pairs: Sequence[tuple[Any, Any]]


@dataclass(frozen=True)
class Raw:
    """A piece of text that stands as it is, JSON or not."""

    text: str


STRINGS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "a:b", "::", ":", '"', "\\", "\\u003a", "é", "你", "\u2028", "😀"]
    ),
    st.text(max_size=6),
)
ESCAPED = st.sampled_from(
    [r'"\u003a"', r'"\u003A"', r'"\u003ax:"', r'"a\u003b"', r'"\ud83d\ude00"', r'"\/"', r'"\u0061"']
)
HALF_PAIRS = st.sampled_from([r'"\ud800"', r'"x\udc00:"'])
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["0.1e1", "-0", "-0.0", "1E2", "1e-999", "18446744073709551616", "9" * 308]
    ).map(Raw),
)
NOT_NUMBERS = st.sampled_from(
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1E400",
        "01",
        "1.",
        ".5",
        "+1",
        "9" * 400,
        "9" * 5000,
    ]
).map(Raw)
NOT_JSON = st.sampled_from(["", "tru", "'a'", '"\t"', r'"\x"', "[1,]", '{"a":1,}', "{a:1}"]).map(
    Raw
)

KEYS = st.one_of(st.sampled_from("abc"), STRINGS, ESCAPED.map(Raw))
STRICT = st.one_of(st.none(), st.booleans(), NUMBERS, STRINGS, ESCAPED.map(Raw))
ANY = st.one_of(STRICT, STRICT, STRICT, HALF_PAIRS.map(Raw), NOT_NUMBERS, NOT_JSON)


def objects(leaves: st.SearchStrategy[Any], size: int = 8) -> st.SearchStrategy[Obj]:
    """Objects of small depth; a key that is drawn twice is written twice."""
    values = st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=3), _pairs(inner)),
        max_leaves=size,
    )
    return _pairs(values)


def _pairs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Obj]:
    return st.lists(st.tuples(KEYS, values), max_size=3).map(Obj)


def written(value: Any, *, ascii: bool = True, space: str = "") -> str:
    """The value as text; `space` stands around every sign."""
    match value:
        case Raw(text):
            return text
        case Obj(pairs):
            inner = [
                f"{written(k, ascii=ascii, space=space)}{space}:{space}"
                f"{written(v, ascii=ascii, space=space)}"
                for k, v in pairs
            ]
            return "{" + space + f"{space},{space}".join(inner) + space + "}"
        case dict():
            return written(Obj(list(value.items())), ascii=ascii, space=space)
        case list():
            inner = [written(each, ascii=ascii, space=space) for each in value]
            return "[" + f"{space},{space}".join(inner) + "]"
        case str():
            half = any("\ud800" <= char <= "\udfff" for char in value)
            return json.dumps(value, ensure_ascii=ascii or half)
    return json.dumps(value)


@st.composite
def object_texts(draw: st.DrawFn) -> str:
    """The text of an object, mostly strict JSON; sometimes of another value, or of none."""
    leaves = draw(st.sampled_from([STRICT, STRICT, ANY]))
    value: Any = draw(objects(leaves))
    if draw(st.integers(0, 9)) == 0:
        value = draw(st.one_of(ANY, st.lists(ANY, max_size=2), STRINGS.map(Raw)))
    space = draw(st.sampled_from(["", "", " ", "\n", "\t\r"]))
    around = draw(st.sampled_from(["", "", "", " ", "x", "\ufeff", "\x00", "\x0c"]))
    return written(value, ascii=draw(st.booleans()), space=space) + around
