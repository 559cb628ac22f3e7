"""What the parser reads, made into the syntax tree of `cm2dsl.nodes`: one method a grammar rule."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from cm2dsl import nodes
from cm2dsl.diagnostic import Log
from cm2dsl.nodes import Token
from cm2dsl.source import Source, Span
from cm2dsl.strings import read_string


class Builder:
    """Each method gets its rule's place and children, already built."""

    def __init__(self, source: Source, log: Log) -> None:
        self.source = source
        self.log = log

    # --- places and words -------------------------------------------------------------------

    def _at(self, token: Token) -> Span:
        return Span(self.source, token.start, token.stop)

    def _name(self, token: Token) -> nodes.Name:
        # Python, which reward.py is written in, reads identifiers in this form too.
        text = token.text if token.text.isascii() else unicodedata.normalize("NFKC", token.text)
        if not text.isidentifier():
            help = "begin it with a letter, and go on with letters, digits and `_`"
            self.log.error("E001", f"`{token.text}` is not a name", self._at(token), help)
        return nodes.Name(text, self._at(token))

    def _number(self, token: Token) -> nodes.Literal:
        text = token.text
        if math.isinf(float(text)):
            help = "write a number of at most 308 digits"
            self.log.error("E301", "the number is too large", self._at(token), help)
            return nodes.Literal(1, self._at(token))
        value = int(text) if text.lstrip("-").isdigit() else float(text)
        return nodes.Literal(value, self._at(token))

    def string(self, at: Span, children: Sequence[Token]) -> nodes.String:
        token = children[0]
        return read_string(token.text, at, self.log)

    def names(self, at: Span, children: Sequence[Token]) -> tuple[nodes.Name, ...]:
        return tuple(self._name(token) for token in children)

    # --- file and settings ------------------------------------------------------------------

    def start(self, at: Span, children: Sequence[Any]) -> nodes.File:
        return nodes.File(self.source, children[0], tuple(children[1:]))

    def edition(self, at: Span, children: Sequence[Token]) -> nodes.Literal:
        return self._number(children[0])

    def domain(self, at: Span, children: Sequence[Any]) -> nodes.Domain:
        return nodes.Domain(self._name(children[0]), children[1], at)

    def tools(self, at: Span, children: Sequence[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("tools", children[0], at)

    def user_tools(self, at: Span, children: Sequence[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("user tools", children[0], at)

    def system(self, at: Span, children: Sequence[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("system", children[0], at)

    def import_file(self, at: Span, children: Sequence[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("import", children[0], at)

    def judge(self, at: Span, children: Sequence[nodes.Option]) -> nodes.Judge:
        return nodes.Judge(tuple(children), at)

    def assign(self, at: Span, children: Sequence[nodes.Option]) -> nodes.Assign:
        return nodes.Assign(tuple(children), at)

    def _option(self, at: Span, children: Sequence[Any]) -> nodes.Option:
        word, value = children
        if isinstance(value, Token):
            value = self._name(value)
        return nodes.Option(self._name(word), value, at)

    def votes(self, at: Span, children: Sequence[Any]) -> nodes.Votes:
        few, most, until = (None if one is None else self._number(one) for one in children)
        assert few is not None
        return nodes.Votes(few, most, until, at)

    judge_option = _option
    assign_option = _option

    simulate_option = _option

    def simulate(self, at: Span, children: Sequence[Any]) -> nodes.Simulate:
        backends, options = _of(children, nodes.Backend), _of(children, nodes.Option)
        return nodes.Simulate(backends, options, at)

    def backend(self, at: Span, children: Sequence[Any]) -> nodes.Backend:
        word = children[0].text
        file = children[1] if word == "python" else None
        server = children[1] if word == "mcp" else None
        number = children[2] if word == "llm" and children[1] is not None else None
        examples = self._number(number) if number is not None else None
        return nodes.Backend(word, file, server, examples, at)

    # --- templates, tasks, turns, items -----------------------------------------------------

    def template(self, at: Span, children: Sequence[Any]) -> nodes.Template:
        name, params, kind, *rest = children
        return nodes.Template(
            self._name(name),
            params or (),
            kind or "item",
            _of(rest, nodes.Modifier),
            tuple(part for part in rest if not isinstance(part, nodes.Modifier)),
            at,
        )

    def use(self, at: Span, children: Sequence[Any]) -> nodes.Use:
        template, arguments, alias, *modifiers = children
        return nodes.Use(
            self._name(template),
            arguments or (),
            self._name(alias) if alias is not None else None,
            tuple(modifiers),
            at,
        )

    def arguments(self, at: Span, children: Sequence[Any]) -> tuple[nodes.Value, ...]:
        return tuple(value for value in children if value is not None)

    def task(self, at: Span, children: Sequence[Any]) -> nodes.Task:
        name, title, each, *parts = children
        return nodes.Task(self._name(name), title, each, tuple(parts), at)

    def each(self, at: Span, children: Sequence[Any]) -> nodes.Each:
        row, file, where, split = children
        return nodes.Each(self._name(row), file, where or (), split, at)

    def where(self, at: Span, children: Sequence[Any]) -> tuple[nodes.Constraint, ...]:
        return tuple(children)

    def split(self, at: Span, children: Sequence[Token]) -> nodes.Name:
        return self._name(children[0])

    def reference(self, at: Span, children: Sequence[Any]) -> nodes.RecordingFile:
        return nodes.RecordingFile(children[0], at)

    def simulated(self, at: Span, children: Sequence[Any]) -> nodes.Simulated:
        return nodes.Simulated(children[0], at)

    def turn(self, at: Span, children: Sequence[Any]) -> nodes.Turn:
        return nodes.Turn(self._name(children[0]), tuple(children[1:]), at)

    def user(self, at: Span, children: Sequence[Any]) -> nodes.User:
        return nodes.User(children[0], at)

    def item(self, at: Span, children: Sequence[Any]) -> nodes.Item:
        kind, name, *rest = children
        return nodes.Item(
            kind,
            self._name(name),
            _of(rest, nodes.Modifier),
            tuple(part for part in rest if not isinstance(part, nodes.Modifier)),
            at,
        )

    def kind(self, at: Span, children: Sequence[Token]) -> str:
        return children[0].text

    template_kind = kind

    def modifier(self, at: Span, children: Sequence[Any]) -> nodes.Modifier:
        word, *rest = children
        number = self._number(rest[0]) if rest and isinstance(rest[0], Token) else None
        return nodes.Modifier(word.text, number, _of(rest, nodes.ItemRef), at)

    def ref(self, at: Span, children: Sequence[Any]) -> nodes.ItemRef:
        first, second = children
        if second is None:
            return nodes.ItemRef(None, self._name(first), at)
        return nodes.ItemRef(self._name(first), self._name(second), at)

    def focus(self, at: Span, children: Sequence[Token]) -> nodes.Focus:
        return nodes.Focus(self._name(children[-1]), at)

    def check(self, at: Span, children: Sequence[Any]) -> nodes.Check:
        return nodes.Check(children[0], at)

    def said(self, at: Span, children: Sequence[Any]) -> nodes.Said:
        return nodes.Said(children[0].text, children[1], at)

    def anchor(self, at: Span, children: Sequence[Any]) -> nodes.Anchor:
        return nodes.Anchor(self._name(children[0]), children[1], at)

    # --- checks -----------------------------------------------------------------------------

    def any_of(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        return children[0] if len(children) == 1 else nodes.AnyOf(tuple(children), at)

    def all_of(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        return children[0] if len(children) == 1 else nodes.AllOf(tuple(children), at)

    def negate(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        return nodes.Negate(children[0], at)

    def called(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        user, word, pattern, count = children
        return nodes.Called(user is not None, word.text, pattern, count, at)

    def before(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        user, _, first, second = children
        return nodes.Before(user is not None, first, second, at)

    def result(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        user, pattern, has = children
        return nodes.ResultHas(user is not None, pattern, has, at)

    def replied(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        return nodes.Replied(at)

    def reply_contains(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        return nodes.ReplyContains(children[0], children[1], at)

    def reply_matches(self, at: Span, children: Sequence[Token]) -> nodes.Expr:
        return nodes.ReplyMatches(self._regex(children[0]), at)

    def reply_mentions(self, at: Span, children: Sequence[Any]) -> nodes.Expr:
        return nodes.ReplyMentions(children[0], children[1], at)

    def pattern(self, at: Span, children: Sequence[Any]) -> nodes.Pattern:
        first: nodes.Pattern = children[0]
        but = _of(children[1:], nodes.Pattern)
        return replace(first, but=but, span=at)

    def calls(self, at: Span, children: Sequence[Any]) -> nodes.Pattern:
        tool, *inside = children
        where = _of(inside, nodes.Constraint)
        exact = any(isinstance(each, Token) for each in inside)
        return nodes.Pattern(tool, where, exact, (), at)

    def tool(
        self, at: Span, children: Sequence[Any]
    ) -> nodes.Name | nodes.String | nodes.AnyEffect | None:
        first, *rest = children
        if isinstance(first, nodes.String):
            return first
        if first.kind == "ANY":
            return nodes.AnyEffect(self._name(rest[0]), at)
        return None if first.kind == "STAR" else self._name(first)

    def count(self, at: Span, children: Sequence[Token]) -> nodes.Count:
        return nodes.Count(children[0].text, self._number(children[1]))

    def constraint(self, at: Span, children: Sequence[Any]) -> nodes.Constraint:
        negated, path, *rest = children
        op, value, tolerance = "exists", None, None
        match [part for part in rest if part is not None]:
            case [Token(kind="MATCH"), Token(kind="REGEX") as regex]:
                op, value = "~", self._regex(regex)
            case [str(op_), value_, *more]:
                op, value = op_, value_
                tolerance = more[0] if more else None
            case _:
                pass
        return nodes.Constraint(negated is not None, path, op, value, tolerance, at)

    def operator(self, at: Span, children: Sequence[Token]) -> str:
        return children[0].text

    def tolerance(self, at: Span, children: Sequence[Token]) -> float:
        value = self._number(children[0]).value
        assert isinstance(value, int | float)
        if value < 0:
            help = "write how far the number may be off, such as `+- 0.01`"
            self.log.error("E301", "a tolerance cannot be negative", self._at(children[0]), help)
        return float(value)

    def _regex(self, token: Token) -> nodes.Regex:
        return nodes.Regex(token.text[1:-1].replace("\\/", "/"), self._at(token))

    def path(self, at: Span, children: Sequence[Any]) -> nodes.JsonPath:
        first, *steps = children
        return nodes.JsonPath((self._key(first), *steps), at)

    def path_step(self, at: Span, children: Sequence[Any]) -> str | int | None:
        child = children[0]
        if isinstance(child, Token) and child.kind == "STAR":
            return None
        if isinstance(child, Token) and child.kind == "NUMBER":
            value = self._number(child).value
            if not isinstance(value, int) or value < 0:
                help = "count elements from 0, or write `[*]` for all"
                self.log.error("E301", f"`{child.text}` is not an index", self._at(child), help)
                return 0
            return value
        return self._key(child)

    def _key(self, child: Token | nodes.String) -> str:
        if not isinstance(child, nodes.String):
            return child.text
        if any(isinstance(part, nodes.Reference) for part in child.parts):
            help = "write the key out; write `\\{` for a brace that is part of it"
            self.log.error("E203", "a key cannot hold a reference", child.span, help)
        return "".join(part for part in child.parts if isinstance(part, str))

    # --- values -----------------------------------------------------------------------------

    def number(self, at: Span, children: Sequence[Token]) -> nodes.Literal:
        return self._number(children[0])

    def true(self, at: Span, children: Sequence[Token]) -> nodes.Literal:
        return nodes.Literal(True, at)

    def false(self, at: Span, children: Sequence[Token]) -> nodes.Literal:
        return nodes.Literal(False, at)

    def null(self, at: Span, children: Sequence[Token]) -> nodes.Literal:
        return nodes.Literal(None, at)

    def reference_value(self, at: Span, children: Sequence[Any]) -> nodes.Reference:
        head, *steps = children
        return nodes.Reference((self._name(head).text, *steps), at)

    def list_value(self, at: Span, children: Sequence[Any]) -> nodes.ListValue:
        values = tuple(value for value in children if value is not None)
        return nodes.ListValue(values, at)

    # --- tests ------------------------------------------------------------------------------

    def test(self, at: Span, children: Sequence[Any]) -> nodes.Test:
        name, task, row, *parts = children
        return nodes.Test(name, self._name(task), row, tuple(parts), at)

    def test_trajectory(self, at: Span, children: Sequence[Any]) -> nodes.TestTrajectory:
        return nodes.TestTrajectory(children[0], at)

    def judged(self, at: Span, children: Sequence[Any]) -> nodes.Judged:
        return nodes.Judged(children[0], self._name(children[1]), at)

    def expect_item(self, at: Span, children: Sequence[Any]) -> nodes.ExpectItem:
        return nodes.ExpectItem(children[0], self._name(children[1]), at)

    def expect_reward(self, at: Span, children: Sequence[Token]) -> nodes.ExpectReward:
        _, op, number = children
        return nodes.ExpectReward(op.text, self._number(number), at)


def _of(parts: Sequence[Any], kind: type[Any]) -> tuple[Any, ...]:
    return tuple(part for part in parts if isinstance(part, kind))
