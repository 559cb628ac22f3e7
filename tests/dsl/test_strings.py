"""What a string in a spec stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from cm2dsl import nodes
from cm2dsl.diagnostic import Log
from cm2dsl.source import Source, Span
from cm2dsl.strings import read_string


def read(literal: str) -> tuple[list[str | tuple[str | int, ...]], list[str]]:
    """The pieces of a string, a reference as its path, and the messages."""
    log = Log()
    text = f"ask {literal}"
    string = read_string(literal, Span(Source(Path("s.cm2"), "s.cm2", text), 4, len(text)), log)
    for part in string.parts:
        if isinstance(part, nodes.Reference) and not literal.startswith('"""'):
            assert text[part.span.start : part.span.stop].startswith("{")
            assert text[part.span.start : part.span.stop].endswith("}")
    pieces = [part.path if isinstance(part, nodes.Reference) else part for part in string.parts]
    messages = [
        f"{fault.message} at {text[fault.span.start : fault.span.stop]}"
        for fault in log.diagnostics
    ]
    return pieces, messages


@pytest.mark.parametrize(
    ("literal", "pieces"),
    [
        ('""', [""]),
        ('"plain"', ["plain"]),
        (r'"a\n\t\"\\b"', ['a\n\t"\\b']),
        ('"two\nlines"', ["two\nlines"]),
        (r'"\u4e2d文"', ["中文"]),
        (r'"\ud83d\ude00"', ["😀"]),
        (r'"\u0041\u00e9"', ["Aé"]),
        ('"{row.x}"', [("row", "x")]),
        ('"a {row.x}, {b}!"', ["a ", ("row", "x"), ", ", ("b",), "!"]),
        ('"{row.flights[0].number}"', [("row", "flights", 0, "number")]),
        ('"{行.号源[1].时间}"', [("行", "号源", 1, "时间")]),
        ('"{ｒｏｗ.x}"', [("row", "x")]),
        (r'"\{row.x}"', ["{row.x}"]),
        (r'"\{row.x\}"', ["{row.x}"]),
        (r'"\\{x}"', ["\\", ("x",)]),
        ('"{}"', ["{}"]),
        ('"{ x }"', ["{ x }"]),
        ('"{1}"', ["{1}"]),
        ('"{x"', ["{x"]),
        ('"{{x}}"', ["{", ("x",), "}"]),
        (r'"{\"a\": {\"b\": [1]}}"', ['{"a": {"b": [1]}}']),
    ],
)
def test_escapes_and_braces(literal: str, pieces: list[object]) -> None:
    assert read(literal) == (pieces, [])


@pytest.mark.parametrize(
    ("literal", "pieces"),
    [
        ('"""x"""', ["x"]),
        ('"""\n  first\n    second\n\n  third\n"""', ["first\n  second\n\nthird"]),
        ('"""first\n  second"""', ["first\nsecond"]),
        ('"""say "yes" {row.x}"""', ['say "yes" ', ("row", "x")]),
        ('"""\n  a\\nb\n  c\n"""', ["a\nb\nc"]),
        ('""""quoted\\""""', ['"quoted"']),
    ],
)
def test_long_strings_lose_their_common_indentation(literal: str, pieces: list[object]) -> None:
    assert read(literal) == (pieces, [])


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        (r'"C:\path"', r"unknown escape `\p` at \p"),
        (r'"\u12"', r"unknown escape `\u` at \u"),
        (r'"\ud800x"', r"`\ud800` is half a character at \ud800"),
        (r'"\ude00\ud83d"', r"`\ude00` is half a character at \ude00"),
    ],
)
def test_what_is_no_escape_is_reported_where_it_stands(literal: str, message: str) -> None:
    assert read(literal)[1][0] == message
