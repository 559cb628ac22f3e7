"""Text to syntax tree."""

from __future__ import annotations

import unicodedata

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from cm2dsl import nodes
from cm2dsl.build import Builder
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.grammar import parser
from cm2dsl.source import Source, Span

WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "LONG_STRING": "a string",
    "REGEX": "a regular expression such as `/a+/`",
    "NOTHING_ELSE": "`nothing else`",
    "$END": "the end of the file",
}
MOST_EXPECTED = 12
STRINGS = ("STRING", "LONG_STRING")

# What other languages write, and what is written here.
QUOTES = "'‘’“”„«»「」『』`＂＇"
HABITS = {"=": "write `==`", "!": "write `not`, or `!=`", "&": "write `and`", "|": "write `or`"}
HABITS |= dict.fromkeys(QUOTES, 'text stands in double quotes: `"…"`')

# The IR is read back by a JSON reader that goes 200 levels deep; a level here is at most five.
NESTING = ("LPAR", "LSQB", "NOT")
DEEPEST = 32


def parse(source: Source, log: Log) -> nodes.File | None:
    """The syntax tree, or None where the text is not in the language (the log says why)."""
    reader = parser().parse_interactive(source.text)
    before: Token | None = None
    last: Token | None = None
    try:
        for token in reader.iter_parse():
            before, last = last, token
            if token.type in NESTING and _depth(reader) >= DEEPEST:
                help = "split it: make two items of it, or take brackets out"
                message = f"this is nested more than {DEEPEST} deep"
                log.error("E005", message, _span(token, source), help)
                return None
        before = last
        tree = reader.feed_eof(last)  # type: ignore[no-untyped-call]
    except UnexpectedToken as error:
        _unexpected_token(error.token, before, reader, source, log)
        return None
    except UnexpectedCharacters as error:
        _unexpected_character(error.pos_in_stream or 0, last, reader, source, log)
        return None
    file: nodes.File = Builder(source, log).transform(tree)
    if file.edition.value != 1:
        log.error(
            "E004",
            f"edition `{file.edition.value}` is not known",
            file.edition.span,
            "this compiler knows edition 1: begin the file with `cm2 1`",
        )
        return None
    return file


def _depth(reader: InteractiveParser) -> int:
    return sum(token.type in NESTING for token in _open(reader))


def _open(reader: InteractiveParser) -> list[Token]:
    """The tokens that were read and are not yet part of a finished rule."""
    return [value for value in reader.parser_state.value_stack if isinstance(value, Token)]


def _accepts(reader: InteractiveParser) -> set[str]:
    """The names of the terminals that may come next."""
    accepted: set[str] = reader.accepts()  # type: ignore[no-untyped-call]
    return accepted


def _span(token: Token, source: Source) -> Span:
    start = token.start_pos or 0
    return Span(source, start, start + len(token))


def _unexpected_token(
    token: Token, before: Token | None, reader: InteractiveParser, source: Source, log: Log
) -> None:
    expected = _accepts(reader)
    if token.type == "$END":
        _ends_early(expected, reader, source, log)
        return
    span = _span(token, source)
    if before is None:
        log.error("E004", "the file does not name its edition", span, "begin it with `cm2 1`")
        return
    message = f"unexpected `{_shorten(token)}`"
    if before.type == "STRING" and "\n" in before:
        start = before.start_pos or 0
        lines = before.count("\n") + 1
        related = ((Span(source, start, start + 1), f"this string goes on for {lines} lines"),)
        help = 'is the `"` missing that ends it?'
        log.error("E001", message, span, help, related)
    elif before.type in STRINGS and before.end_pos == token.start_pos:
        log.error("E001", message, span, 'write `\\"` for a quote inside a string')
    elif _closes_first(token, expected, reader):
        log.error("E001", message, span, "is a `}` missing before it?")
    else:
        keywords = [word[1:-1] for word in _words(expected) if word[1:-1].isidentifier()]
        near = suggest(str(token), keywords) if token.type == "NAME" else ""
        help = near if near.startswith("did you") else _expected(expected)
        log.error("E001", message, span, help)


def _ends_early(expected: set[str], reader: InteractiveParser, source: Source, log: Log) -> None:
    end = len(source.text.rstrip())
    span = Span(source, max(end - 1, 0), max(end, 1))
    if expected == {"CM2"}:
        log.error("E004", "the file is empty", span, "begin it with `cm2 1`")
        return
    braces = [token for token in _open(reader) if token.type == "LBRACE"]
    if braces and "RBRACE" in expected:
        related = ((_span(braces[-1], source), "this is still open"),)
        log.error("E001", "the file ends too early", span, "close it with `}`", related)
    else:
        log.error("E001", "the file ends too early", span, _expected(expected))


def _closes_first(token: Token, expected: set[str], reader: InteractiveParser) -> bool:
    """Whether a `}` here would have made the token right."""
    if "RBRACE" not in expected:
        return False
    closed: InteractiveParser = reader.copy()  # type: ignore[no-untyped-call]
    closed.feed_token(Token("RBRACE", "}"))
    return f"`{token}`" in _words(_accepts(closed))


def _unexpected_character(
    start: int, before: Token | None, reader: InteractiveParser, source: Source, log: Log
) -> None:
    char = source.text[start]
    expected = _accepts(reader)
    span = Span(source, start, start + 1)
    half = unicodedata.normalize("NFKC", char)
    if char == '"':
        long = before is not None and before == '""' and before.end_pos == start
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
    words = {_word(name) for name in names}
    return sorted(words, key=lambda word: (word.startswith("`"), word[1:-1].isidentifier(), word))


def _word(terminal: str) -> str:
    return WORDS.get(terminal) or f"`{parser().get_terminal(terminal).pattern.value}`"


def _shorten(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 30 else line[:30] + "…"
