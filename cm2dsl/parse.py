"""Text to syntax tree."""

from __future__ import annotations

import unicodedata

from cm2dsl import nodes
from cm2dsl.build import Builder
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.driver import DEEPEST, EOF, Stack, TooDeep, Unexpected, drive, last_token, rules_for
from cm2dsl.nodes import Token
from cm2dsl.source import Source, Span
from cm2dsl.tables import KEYWORDS, SIGNS

WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "LONG_STRING": "a string",
    "REGEX": "a regular expression such as `/a+/`",
    "NOTHING_ELSE": "`nothing else`",
    EOF: "the end of the file",
}
WORDS |= {name: f"`{text}`" for text, name in (KEYWORDS | SIGNS).items()}
MOST_EXPECTED = 12
STRINGS = ("STRING", "LONG_STRING")

# What other languages write, and what is written here.
QUOTES = "'‘’“”„«»「」『』`＂＇"
HABITS = {"=": "write `==`", "!": "write `not`, or `!=`", "&": "write `and`", "|": "write `or`"}
HABITS |= dict.fromkeys(QUOTES, 'text stands in double quotes: `"…"`')


def parse(source: Source, log: Log) -> nodes.File | None:
    """The syntax tree, or None where the text is not in the language (the log says why)."""
    try:
        file: nodes.File = drive(source, rules_for(Builder(source, log)), Stack())
    except TooDeep as error:
        help = "split it: make two items of it, or take brackets out"
        message = f"this is nested more than {DEEPEST} deep"
        log.error("E005", message, _span(error.token, source), help)
        return None
    except Unexpected as error:
        _unexpected(error, source, log)
        return None
    if file.edition.value != 1:
        log.error(
            "E004",
            f"edition `{file.edition.value}` is not known",
            file.edition.span,
            "this compiler knows edition 1: begin the file with `cm2 1`",
        )
        return None
    return file


def _span(token: Token, source: Source) -> Span:
    return Span(source, token.start, token.start + len(token.text))


def _unexpected(error: Unexpected, source: Source, log: Log) -> None:
    before = last_token(source.text, error.position)
    if error.token is not None:
        _unexpected_token(error.token, before, error.stack, source, log)
    elif (start := error.start) < len(source.text):
        _unexpected_character(start, before, error.stack, source, log)
    else:
        _ends_early(error.stack, source, log)


def _unexpected_token(
    token: Token, before: Token | None, stack: Stack, source: Source, log: Log
) -> None:
    expected = stack.accepts()
    span = _span(token, source)
    if before is None:
        log.error("E004", "the file does not name its edition", span, "begin it with `cm2 1`")
        return
    message = f"unexpected `{_shorten(token.text)}`"
    if before.kind == "STRING" and "\n" in before.text:
        lines = before.text.count("\n") + 1
        opening = Span(source, before.start, before.start + 1)
        related = ((opening, f"this string goes on for {lines} lines"),)
        help = 'is the `"` missing that ends it?'
        log.error("E001", message, span, help, related)
    elif before.kind in STRINGS and before.start + len(before.text) == token.start:
        log.error("E001", message, span, 'write `\\"` for a quote inside a string')
    elif _closes_first(token, expected, stack):
        log.error("E001", message, span, "is a `}` missing before it?")
    else:
        keywords = [word[1:-1] for word in _words(expected) if word[1:-1].isidentifier()]
        near = suggest(token.text, keywords) if token.kind == "NAME" else ""
        help = near if near.startswith("did you") else _expected(expected)
        log.error("E001", message, span, help)


def _ends_early(stack: Stack, source: Source, log: Log) -> None:
    expected = stack.accepts()
    end = len(source.text.rstrip())
    span = Span(source, max(end - 1, 0), max(end, 1))
    if expected == {"CM2"}:
        log.error("E004", "the file is empty", span, "begin it with `cm2 1`")
        return
    braces = [token for token in stack.open() if token.kind == "LBRACE"]
    if braces and "RBRACE" in expected:
        related = ((_span(braces[-1], source), "this is still open"),)
        log.error("E001", "the file ends too early", span, "close it with `}`", related)
    else:
        log.error("E001", "the file ends too early", span, _expected(expected))


def _closes_first(token: Token, expected: set[str], stack: Stack) -> bool:
    """Whether a `}` here would have made the token right."""
    if "RBRACE" not in expected:
        return False
    return f"`{token.text}`" in _words(stack.after("RBRACE").accepts())


def _unexpected_character(
    start: int, before: Token | None, stack: Stack, source: Source, log: Log
) -> None:
    char = source.text[start]
    expected = stack.accepts()
    span = Span(source, start, start + 1)
    half = unicodedata.normalize("NFKC", char)
    if char == '"':
        long = before is not None and before.text == '""' and before.start + 2 == start
        quote = '"""' if long else '"'
        span = Span(source, start - 2 if long else start, start + 1)
        log.error("E002", "this string has no end", span, f"close it with `{quote}`")
    elif before is None:
        log.error("E004", "the file does not name its edition", span, "begin it with `cm2 1`")
    elif char in HABITS:
        log.error("E001", f"unexpected `{char}`", span, HABITS[char])
    elif half != char and f"`{half}`" in _words(expected):
        log.error(
            "E001", f"unexpected `{char}`", span, f"write `{half}`, as on an English keyboard"
        )
    else:
        log.error("E001", f"unexpected `{char}`", span, _expected(expected))


def _expected(names: set[str]) -> str:
    words = _words(names)
    if len(words) > MOST_EXPECTED:
        return f"expected {', '.join(words[:MOST_EXPECTED])}, …"
    *most, last = words
    return f"expected {', '.join(most)} or {last}" if most else f"expected {last}"


def _words(names: set[str]) -> list[str]:
    """Terminals in the user's words: kinds of token, then signs, then keywords."""
    words = {WORDS[name] for name in names}
    return sorted(words, key=lambda word: (word.startswith("`"), word[1:-1].isidentifier(), word))


def _shorten(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 30 else line[:30] + "…"
