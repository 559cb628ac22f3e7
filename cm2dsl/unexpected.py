"""What is said of a text where the parser cannot go on."""

from __future__ import annotations

import unicodedata

from cm2dsl.diagnostic import Log
from cm2dsl.driver import DEEPEST, EOF, KEYWORDS, SIGNS, Stack
from cm2dsl.lexemes import STRING, Lexeme, kind_of
from cm2dsl.nearest import nearest
from cm2dsl.nodes import Doubt
from cm2dsl.recover import Stuck
from cm2dsl.repair import Edit
from cm2dsl.source import Source, Span

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

# What other languages write, and what is written here.
QUOTES = "'‘’“”„«»「」『』`＂＇"
HABITS = {"=": "write `==`", "!": "write `not`, or `!=`", "&": "write `and`", "|": "write `or`"}
HABITS |= dict.fromkeys(QUOTES, 'text stands in double quotes: `"…"`')


class Reporter:
    """Says what is wrong with a text, place by place."""

    def __init__(self, source: Source, log: Log) -> None:
        self.source = source
        self.log = log

    def __call__(self, stuck: Stuck, edit: Edit) -> Doubt:
        """Report one fault, and return the part of the text that is in doubt because of it."""
        found, at = stuck.found, stuck.at
        wrong = found[at] if at < len(found) else None
        span = self._say(stuck, edit, wrong)
        if edit.moved:
            return Doubt(span.start, span.stop)
        first = found[edit.at - 1].stop if edit.at else 0
        if edit.popped:
            first = min(first, stuck.stack.starts[-edit.popped])
        last = edit.at + edit.removed
        stop = found[last - 1].stop if edit.removed and not edit.rest else first
        own = edit.put[:1] if edit.rest else edit.put
        if edit.rest:
            stop = own[0].stop
        touched = (*own, *(() if edit.rest else found[edit.at : last]))
        shape = edit.popped > 0 or any(one.text in ("{", "}") for one in touched)
        unnamed = any(one.text == "_" for one in edit.put)
        name = edit.popped > 0 or unnamed or (edit.removed > 0 and not edit.put)
        return Doubt(min(first, span.start), max(stop, span.stop), shape, name)

    def _say(self, stuck: Stuck, edit: Edit, wrong: Lexeme | None) -> Span:
        stack = stuck.stack
        if edit.rest:
            return self._open_string(edit.put[0])
        if edit.moved:
            return self._moved_brace(stuck.found[edit.at], bool(edit.put))
        if wrong is None:
            return self._ends_early(stack)
        span = Span(self.source, wrong.start, wrong.stop)
        if stuck.too_deep:
            help = "split it: make two items of it, or take brackets out"
            self.log.error("E005", f"this is nested more than {DEEPEST} deep", span, help)
        elif not stuck.at:
            help = "begin it with `cm2 1`"
            self.log.error("E004", "the file does not name its edition", span, help)
        elif wrong.group == 0:
            self._character(wrong, stack, span)
        else:
            self._token(stuck, edit, wrong, span)
        return span

    def _moved_brace(self, at: Lexeme, missing: bool) -> Span:
        span = Span(self.source, at.start, at.stop)
        if missing:
            self.log.error("E001", "a `}` is missing before this", span, "close the block with `}`")
        else:
            help = "it closes a block that goes on: take it out"
            self.log.error("E001", "unexpected `}`", span, help)
        return span

    def _open_string(self, string: Lexeme) -> Span:
        span = Span(self.source, string.start, string.start + 1)
        long = string.text.startswith('""') and len(string.text) > 3
        quote = '"""' if long else '"'
        self.log.error("E002", "this string has no end", span, f"close it with `{quote}`")
        return span

    def _token(self, stuck: Stuck, edit: Edit, wrong: Lexeme, span: Span) -> None:
        stack = stuck.stack
        expected = stack.accepts()
        before = stuck.found[stuck.at - 1]
        if before.group == STRING and before.stop == wrong.start:
            help = 'write `\\"` for a quote inside a string'
        elif not edit.removed and [one.text for one in edit.put] == ["}"]:
            help = "is a `}` missing before it?"
        elif wrong.text == "}" and not any(one.kind == "LBRACE" for one in stack.open()):
            help = "no block is open here: take it out"
        else:
            keywords = [word[1:-1] for word in _words(expected) if word[1:-1].isidentifier()]
            near = nearest(wrong.text, keywords) if kind_of(wrong, {}) == "NAME" else None
            help = f"did you mean `{near}`?" if near else _expected(expected)
        self.log.error("E001", f"unexpected `{_shorten(wrong.text)}`", span, help)

    def _ends_early(self, stack: Stack) -> Span:
        expected = stack.accepts()
        end = len(self.source.text.rstrip())
        span = Span(self.source, max(end - 1, 0), max(end, 1))
        if expected == {"CM2"}:
            self.log.error("E004", "the file is empty", span, "begin it with `cm2 1`")
            return span
        braces = [one.start for one in stack.open() if one.kind == "LBRACE"]
        if not braces or "RBRACE" not in expected:
            self.log.error("E001", "the file ends too early", span, _expected(expected))
            return span
        related = ((Span(self.source, braces[-1], braces[-1] + 1), "this is still open"),)
        self.log.error("E001", "the file ends too early", span, "close it with `}`", related)
        return span

    def _character(self, wrong: Lexeme, stack: Stack, span: Span) -> None:
        char = wrong.text
        expected = stack.accepts()
        half = unicodedata.normalize("NFKC", char)
        if char in HABITS:
            help = HABITS[char]
        elif half != char and f"`{half}`" in _words(expected):
            help = f"write `{half}`, as on an English keyboard"
        else:
            help = _expected(expected)
        self.log.error("E001", f"unexpected `{char}`", span, help)


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
