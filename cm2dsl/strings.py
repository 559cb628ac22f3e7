"""String literals: escapes, line breaks and `{references}`."""

from __future__ import annotations

import inspect
import json
import re
import unicodedata

from cm2dsl.diagnostic import Log
from cm2dsl.nodes import Reference, String
from cm2dsl.source import Source, Span

ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "{": "{", "}": "}"}

# An escape, or braces around something shaped like `name`, `name.key` or `name[0]`. Other braces
# are text, so that JSON can be quoted as it is.
PIECE = re.compile(
    r"\\(?P<escape>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)"
    r"|\{(?P<reference>[^\W\d]\w*(?:\.[^\W\d]\w*|\[\d+\])*)\}",
    re.DOTALL,
)
UNREADABLE = "\ufffd"
STEP = re.compile(r"[^\W\d]\w*|\d+")


def read_string(literal: str, span: Span, log: Log) -> String:
    """The string that `literal`, at `span` with its quotes, stands for.

    `\"\"\"` strings lose their common indentation and the line breaks at both ends.
    """
    source, start = span.source, span.start
    long = literal.startswith('"""')
    quote = 3 if long else 1
    body = literal[quote:-quote]
    if long:
        return String(_pieces(inspect.cleandoc(body), None, source, start, log), span)
    return String(_pieces(body, start + quote, source, start, log), span)


def _pieces(
    body: str, offset: int | None, source: Source, start: int, log: Log
) -> tuple[str | Reference, ...]:
    """Split a body; `offset` is where it starts in the source, None where lines were moved."""
    parts: list[str | Reference] = []
    text = ""
    last = 0
    for match in PIECE.finditer(body):
        text += body[last : match.start()]
        last = match.end()
        begin = start if offset is None else offset + match.start()
        span = Span(source, begin, begin + (1 if offset is None else len(match.group())))
        escape, reference = match["escape"], match["reference"]
        if reference is not None:
            if text:
                parts.append(text)
                text = ""
            parts.append(Reference(read_path(reference), span))
        elif escape[0] == "u" and len(escape) > 1:
            char = json.loads(f'"\\{escape}"')
            if "\ud800" <= char <= "\udfff":
                help = "write the character itself, or both halves of the pair"
                log.error("E003", f"`\\{escape}` is half a character", span, help)
                char = UNREADABLE
            text += char
        elif escape in ESCAPES:
            text += ESCAPES[escape]
        else:
            text += UNREADABLE
            log.error(
                "E003",
                f"unknown escape `\\{escape}`",
                span,
                'known are `\\n`, `\\t`, `\\"`, `\\\\`, `\\{`, `\\}` and `\\u` with 4 hex digits',
            )
    text += body[last:]
    if text or not parts:
        parts.append(text)
    return tuple(parts)


def read_path(text: str) -> tuple[str | int, ...]:
    """`row.flights[0].number` as its steps; the first is a name, and read as names are."""
    head, *steps = STEP.findall(text)
    rest = [int(step) if step.isdigit() else step for step in steps]
    return (unicodedata.normalize("NFKC", head), *rest)
