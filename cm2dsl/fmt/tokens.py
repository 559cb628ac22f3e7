"""The text as tokens, each with the comments that belong to it, and where the parts begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cm2dsl.driver import Stack, drive, rules_for
from cm2dsl.nodes import Token
from cm2dsl.source import Source, Span

MEMBERS = frozenset(
    {
        *("edition", "domain", "tools", "user_tools", "system", "import_file", "judge"),
        *("simulate", "assign", "template", "task", "test", "reference", "simulated", "turn"),
        *("item", "use", "user", "focus", "check", "said", "anchor", "test_trajectory", "judged"),
        *(
            "expect_item",
            "expect_reward",
            "judge_option",
            "assign_option",
            "backend",
            "simulate_option",
        ),
    }
)
"""Parts of the grammar that begin a line, unless their block is on one."""

COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a line of its own; `blank`: an empty line is before it."""

    text: str
    blank: bool


@dataclass(slots=True)
class Tok:
    """A token. `begins` is the part that begins with it, if one does.

    `above` are the comments on lines of their own before it, `behind` is the one at the end of its
    line. `blank`: an empty line is right before it; `wrapped`: it begins a line.
    """

    kind: str
    text: str
    begins: str | None = None
    above: list[Comment] = field(default_factory=list)
    behind: str | None = None
    blank: bool = False
    wrapped: bool = False


class _Recorder:
    """A builder that keeps the tokens, and which parts begin where."""

    def __init__(self) -> None:
        self.tokens: dict[int, Token] = {}
        self.begins: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        def method(at: Span, children: Sequence[Any]) -> None:
            if name in MEMBERS:
                self.begins[at.start] = name

        return method


def tokens_of(source: Source) -> list[Tok]:
    """The tokens of a text in the language; the last has no text and bears the last comments.

    Raises Unexpected or TooDeep where the text is not in the language.
    """
    recorder = _Recorder()
    read: list[Token] = []
    drive(source, rules_for(recorder), Stack(), read=read)
    found: list[Tok] = []
    end = 0
    for token in [*read, Token("$END", "", len(source.text), len(source.text))]:
        tok = Tok(token.kind, token.text, recorder.begins.get(token.start))
        _take_gap(source.text[end : token.start], tok, found[-1] if found else None)
        found.append(tok)
        end = token.stop
    return found


def _take_gap(gap: str, tok: Tok, before: Tok | None) -> None:
    """Give the comments between two tokens to the one that they belong to."""
    position = 0
    for match in COMMENT.finditer(gap):
        between = gap[position : match.start()]
        position = match.end()
        text = match[0].rstrip()
        if before is not None and "\n" not in gap[: match.start()]:
            before.behind = text
            continue
        tok.above.append(Comment(text, _is_blank(between, bool(before) or bool(tok.above))))
    rest = gap[position:]
    tok.wrapped = "\n" in rest or position > 0
    tok.blank = _is_blank(rest, bool(before) or bool(tok.above))


def _is_blank(text: str, after_something: bool) -> bool:
    """Whether an empty line is in the white space; at the start of a text there is none."""
    return after_something and text.count("\n") > 1
