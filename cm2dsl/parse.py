"""Text to syntax tree."""

from __future__ import annotations

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from cm2dsl import nodes
from cm2dsl.build import Builder
from cm2dsl.diagnostic import Log, suggest
from cm2dsl.grammar import parser
from cm2dsl.source import Source, Span

WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "REGEX": "a regular expression such as `/a+/`",
    "$END": "the end of the file",
}
MOST_EXPECTED = 12


def parse(source: Source, log: Log) -> nodes.File | None:
    """The syntax tree, or None where the text is not in the language (the log says why)."""
    try:
        tree = parser().parse(source.text)
    except UnexpectedInput as error:
        _report(error, source, log)
        return None
    file: nodes.File = Builder(source, log).transform(tree)
    if file.edition.value != 1:
        log.error(
            "E004",
            f"edition `{file.edition.value}` is not known",
            file.edition.span,
            "this compiler knows edition 1: begin the file with `cm2 1`",
        )
    return file


def _report(error: UnexpectedInput, source: Source, log: Log) -> None:
    if isinstance(error, UnexpectedToken):
        token: Token = error.token
        expected = sorted(error.accepts or error.expected)
        if token.type == "$END":
            end = len(source.text.rstrip())
            span = Span(source, max(end - 1, 0), max(end, 1))
            log.error("E001", "the file ends too early", span, _expected(expected))
            return
        start = token.start_pos or 0
        span = Span(source, start, start + len(token))
        if start == len(source.text) - len(source.text.lstrip()) and expected == ["CM2"]:
            log.error("E004", "the file does not name its edition", span, "begin it with `cm2 1`")
            return
        keywords = [_word(name)[1:-1] for name in expected if _word(name).startswith("`")]
        near = suggest(str(token), [word for word in keywords if word.isalpha()])
        help = near if near.startswith("did you") else _expected(expected)
        log.error("E001", f"unexpected `{_shorten(token)}`", span, help)
        return
    assert isinstance(error, UnexpectedCharacters)
    start = error.pos_in_stream or 0
    span = Span(source, start, start + 1)
    if source.text[start] == '"':
        log.error("E002", "this string has no end", span, 'close it with `"`')
    else:
        expected = sorted(error.allowed or ())
        log.error("E001", f"unexpected `{source.text[start]}`", span, _expected(expected))


def _expected(names: list[str]) -> str:
    words = list(dict.fromkeys(_word(name) for name in names if name != "LONG_STRING"))
    shown = words[:MOST_EXPECTED]
    if len(words) > MOST_EXPECTED:
        shown.append("…")
    return "expected " + (
        shown[0] if len(shown) == 1 else " or ".join([", ".join(shown[:-1]), shown[-1]])
    )


def _word(terminal: str) -> str:
    """A terminal in the user's words: keywords and signs in backticks."""
    if terminal in WORDS:
        return WORDS[terminal]
    pattern = parser().get_terminal(terminal).pattern
    return f"`{pattern.value}`"


def _shorten(text: str) -> str:
    line = text.split("\n", 1)[0]
    return line if len(line) <= 30 else line[:30] + "…"
