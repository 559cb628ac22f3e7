"""Lark's tree to the syntax tree of `cm2dsl.nodes`. One method a grammar rule."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace
from typing import Any

from lark import Token, Transformer, v_args
from lark.tree import Meta

from cm2dsl import nodes
from cm2dsl.diagnostic import Log
from cm2dsl.source import Source, Span
from cm2dsl.strings import read_string


@v_args(meta=True)
class Builder(Transformer[Token, Any]):
    """Gets every rule's children, already built, and the rule's place."""

    def __init__(self, source: Source, log: Log) -> None:
        super().__init__()
        self.source = source
        self.log = log

    # --- places and words -------------------------------------------------------------------

    def _span(self, meta: Meta) -> Span:
        return Span(self.source, meta.start_pos, meta.end_pos)

    def _at(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self.source, start, start + len(token))

    def _name(self, token: Token) -> nodes.Name:
        # Python, which reward.py is written in, reads identifiers in this form too.
        text = unicodedata.normalize("NFKC", token)
        if not text.isidentifier():
            help = "begin it with a letter, and go on with letters, digits and `_`"
            self.log.error("E001", f"`{token}` is not a name", self._at(token), help)
        return nodes.Name(text, self._at(token))

    def _number(self, token: Token) -> nodes.Literal:
        text = str(token)
        if math.isinf(float(text)):
            help = "write a number of at most 308 digits"
            self.log.error("E301", "the number is too large", self._at(token), help)
            return nodes.Literal(1, self._at(token))
        value = int(text) if text.lstrip("-").isdigit() else float(text)
        return nodes.Literal(value, self._at(token))

    def string(self, meta: Meta, children: list[Token]) -> nodes.String:
        token = children[0]
        return read_string(str(token), self.source, token.start_pos or 0, self.log)

    def names(self, meta: Meta, children: list[Token]) -> tuple[nodes.Name, ...]:
        return tuple(self._name(token) for token in children)

    # --- file and settings ------------------------------------------------------------------

    def start(self, meta: Meta, children: list[Any]) -> nodes.File:
        return nodes.File(self.source, children[0], tuple(children[1:]))

    def edition(self, meta: Meta, children: list[Token]) -> nodes.Literal:
        return self._number(children[0])

    def domain(self, meta: Meta, children: list[Any]) -> nodes.Domain:
        return nodes.Domain(self._name(children[0]), children[1], self._span(meta))

    def tools(self, meta: Meta, children: list[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("tools", children[0], self._span(meta))

    def user_tools(self, meta: Meta, children: list[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("user tools", children[0], self._span(meta))

    def system(self, meta: Meta, children: list[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("system", children[0], self._span(meta))

    def import_file(self, meta: Meta, children: list[Any]) -> nodes.FileStatement:
        return nodes.FileStatement("import", children[0], self._span(meta))

    def judge(self, meta: Meta, children: list[nodes.Option]) -> nodes.Judge:
        return nodes.Judge(tuple(children), self._span(meta))

    def assign(self, meta: Meta, children: list[nodes.Option]) -> nodes.Assign:
        return nodes.Assign(tuple(children), self._span(meta))

    def _option(self, meta: Meta, children: list[Any]) -> nodes.Option:
        word, value = children
        if isinstance(value, Token):
            value = self._number(value) if value.type == "NUMBER" else self._name(value)
        return nodes.Option(self._name(word), value, self._span(meta))

    judge_option = _option
    assign_option = _option

    def simulate(self, meta: Meta, children: list[nodes.Backend]) -> nodes.Simulate:
        return nodes.Simulate(tuple(children), self._span(meta))

    def backend(self, meta: Meta, children: list[Any]) -> nodes.Backend:
        word = str(children[0])
        file = children[1] if word == "python" else None
        number = children[2] if word == "llm" and children[1] is not None else None
        examples = self._number(number) if number is not None else None
        return nodes.Backend(word, file, examples, self._span(meta))

    # --- templates, tasks, turns, items -----------------------------------------------------

    def template(self, meta: Meta, children: list[Any]) -> nodes.Template:
        name, params, kind, *rest = children
        return nodes.Template(
            self._name(name),
            params or (),
            kind or "item",
            _of(rest, nodes.Modifier),
            tuple(part for part in rest if not isinstance(part, nodes.Modifier)),
            self._span(meta),
        )

    def use(self, meta: Meta, children: list[Any]) -> nodes.Use:
        template, arguments, alias, *modifiers = children
        return nodes.Use(
            self._name(template),
            arguments or (),
            self._name(alias) if alias is not None else None,
            tuple(modifiers),
            self._span(meta),
        )

    def arguments(self, meta: Meta, children: list[Any]) -> tuple[nodes.Value, ...]:
        return tuple(value for value in children if value is not None)

    def task(self, meta: Meta, children: list[Any]) -> nodes.Task:
        name, title, each, *parts = children
        return nodes.Task(self._name(name), title, each, tuple(parts), self._span(meta))

    def each(self, meta: Meta, children: list[Any]) -> nodes.Each:
        row, file, where, split = children
        return nodes.Each(self._name(row), file, where or (), split, self._span(meta))

    def where(self, meta: Meta, children: list[Any]) -> tuple[nodes.Constraint, ...]:
        return tuple(children)

    def split(self, meta: Meta, children: list[Token]) -> nodes.Name:
        return self._name(children[0])

    def reference(self, meta: Meta, children: list[Any]) -> nodes.RecordingFile:
        return nodes.RecordingFile(children[0], self._span(meta))

    def simulated(self, meta: Meta, children: list[Any]) -> nodes.Simulated:
        return nodes.Simulated(children[0], self._span(meta))

    def turn(self, meta: Meta, children: list[Any]) -> nodes.Turn:
        return nodes.Turn(self._name(children[0]), tuple(children[1:]), self._span(meta))

    def user(self, meta: Meta, children: list[Any]) -> nodes.User:
        return nodes.User(children[0], self._span(meta))

    def item(self, meta: Meta, children: list[Any]) -> nodes.Item:
        kind, name, *rest = children
        return nodes.Item(
            kind,
            self._name(name),
            _of(rest, nodes.Modifier),
            tuple(part for part in rest if not isinstance(part, nodes.Modifier)),
            self._span(meta),
        )

    def kind(self, meta: Meta, children: list[Token]) -> str:
        return str(children[0])

    template_kind = kind

    def modifier(self, meta: Meta, children: list[Any]) -> nodes.Modifier:
        word, *rest = children
        number = self._number(rest[0]) if rest and isinstance(rest[0], Token) else None
        return nodes.Modifier(str(word), number, _of(rest, nodes.ItemRef), self._span(meta))

    def ref(self, meta: Meta, children: list[Any]) -> nodes.ItemRef:
        first, second = children
        if second is None:
            return nodes.ItemRef(None, self._name(first), self._span(meta))
        return nodes.ItemRef(self._name(first), self._name(second), self._span(meta))

    def focus(self, meta: Meta, children: list[Token]) -> nodes.Focus:
        return nodes.Focus(self._name(children[-1]), self._span(meta))

    def check(self, meta: Meta, children: list[Any]) -> nodes.Check:
        return nodes.Check(children[0], self._span(meta))

    def said(self, meta: Meta, children: list[Any]) -> nodes.Said:
        return nodes.Said(str(children[0]), children[1], self._span(meta))

    def anchor(self, meta: Meta, children: list[Any]) -> nodes.Anchor:
        return nodes.Anchor(self._name(children[0]), children[1], self._span(meta))

    # --- checks -----------------------------------------------------------------------------

    def any_of(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        return children[0] if len(children) == 1 else nodes.AnyOf(tuple(children), self._span(meta))

    def all_of(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        return children[0] if len(children) == 1 else nodes.AllOf(tuple(children), self._span(meta))

    def negate(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        return nodes.Negate(children[0], self._span(meta))

    def called(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        user, word, pattern, count = children
        return nodes.Called(user is not None, str(word), pattern, count, self._span(meta))

    def before(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        user, _, first, second = children
        return nodes.Before(user is not None, first, second, self._span(meta))

    def result(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        user, pattern, has = children
        return nodes.ResultHas(user is not None, pattern, has, self._span(meta))

    def replied(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        return nodes.Replied(self._span(meta))

    def reply_contains(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        return nodes.ReplyContains(children[0], children[1], self._span(meta))

    def reply_matches(self, meta: Meta, children: list[Token]) -> nodes.Expr:
        return nodes.ReplyMatches(self._regex(children[0]), self._span(meta))

    def reply_mentions(self, meta: Meta, children: list[Any]) -> nodes.Expr:
        return nodes.ReplyMentions(children[0], children[1], self._span(meta))

    def pattern(self, meta: Meta, children: list[Any]) -> nodes.Pattern:
        first: nodes.Pattern = children[0]
        but = _of(children[1:], nodes.Pattern)
        return replace(first, but=but, span=self._span(meta))

    def calls(self, meta: Meta, children: list[Any]) -> nodes.Pattern:
        tool, *inside = children
        where = _of(inside, nodes.Constraint)
        exact = any(isinstance(each, Token) for each in inside)
        return nodes.Pattern(tool, where, exact, (), self._span(meta))

    def tool(
        self, meta: Meta, children: list[Any]
    ) -> nodes.Name | nodes.String | nodes.AnyEffect | None:
        first, *rest = children
        if isinstance(first, nodes.String):
            return first
        if first.type == "ANY":
            return nodes.AnyEffect(self._name(rest[0]), self._span(meta))
        return None if first.type == "STAR" else self._name(first)

    def count(self, meta: Meta, children: list[Token]) -> nodes.Count:
        return nodes.Count(str(children[0]), self._number(children[1]))

    def constraint(self, meta: Meta, children: list[Any]) -> nodes.Constraint:
        negated, path, *rest = children
        op, value, tolerance = "exists", None, None
        match [part for part in rest if part is not None]:
            case [Token(type="MATCH"), Token(type="REGEX") as regex]:
                op, value = "~", self._regex(regex)
            case [str(op_), value_, *more] if not isinstance(op_, Token):
                op, value = op_, value_
                tolerance = more[0] if more else None
            case _:
                pass
        return nodes.Constraint(negated is not None, path, op, value, tolerance, self._span(meta))

    def operator(self, meta: Meta, children: list[Token]) -> str:
        return str(children[0].value)

    def tolerance(self, meta: Meta, children: list[Token]) -> float:
        value = self._number(children[0]).value
        assert isinstance(value, int | float)
        if value < 0:
            help = "write how far the number may be off, such as `+- 0.01`"
            self.log.error("E301", "a tolerance cannot be negative", self._at(children[0]), help)
        return float(value)

    def _regex(self, token: Token) -> nodes.Regex:
        return nodes.Regex(str(token)[1:-1].replace("\\/", "/"), self._at(token))

    def path(self, meta: Meta, children: list[Any]) -> nodes.JsonPath:
        first, *steps = children
        return nodes.JsonPath((self._key(first), *steps), self._span(meta))

    def path_step(self, meta: Meta, children: list[Any]) -> str | int | None:
        child = children[0]
        if isinstance(child, Token) and child.type == "STAR":
            return None
        if isinstance(child, Token) and child.type == "NUMBER":
            value = self._number(child).value
            if not isinstance(value, int) or value < 0:
                help = "count elements from 0, or write `[*]` for all"
                self.log.error("E301", f"`{child}` is not an index", self._at(child), help)
                return 0
            return value
        return self._key(child)

    def _key(self, child: Token | nodes.String) -> str:
        if not isinstance(child, nodes.String):
            return str(child)
        if any(isinstance(part, nodes.Reference) for part in child.parts):
            help = "write the key out; write `\\{` for a brace that is part of it"
            self.log.error("E203", "a key cannot hold a reference", child.span, help)
        return "".join(part for part in child.parts if isinstance(part, str))

    # --- values -----------------------------------------------------------------------------

    def number(self, meta: Meta, children: list[Token]) -> nodes.Literal:
        return self._number(children[0])

    def true(self, meta: Meta, children: list[Token]) -> nodes.Literal:
        return nodes.Literal(True, self._span(meta))

    def false(self, meta: Meta, children: list[Token]) -> nodes.Literal:
        return nodes.Literal(False, self._span(meta))

    def null(self, meta: Meta, children: list[Token]) -> nodes.Literal:
        return nodes.Literal(None, self._span(meta))

    def reference_value(self, meta: Meta, children: list[Any]) -> nodes.Reference:
        head, *steps = children
        return nodes.Reference((self._name(head).text, *steps), self._span(meta))

    def list_value(self, meta: Meta, children: list[Any]) -> nodes.ListValue:
        values = tuple(value for value in children if value is not None)
        return nodes.ListValue(values, self._span(meta))

    # --- tests ------------------------------------------------------------------------------

    def test(self, meta: Meta, children: list[Any]) -> nodes.Test:
        name, task, row, *parts = children
        return nodes.Test(name, self._name(task), row, tuple(parts), self._span(meta))

    def test_trajectory(self, meta: Meta, children: list[Any]) -> nodes.TestTrajectory:
        return nodes.TestTrajectory(children[0], self._span(meta))

    def judged(self, meta: Meta, children: list[Any]) -> nodes.Judged:
        return nodes.Judged(children[0], self._name(children[1]), self._span(meta))

    def expect_item(self, meta: Meta, children: list[Any]) -> nodes.ExpectItem:
        return nodes.ExpectItem(children[0], self._name(children[1]), self._span(meta))

    def expect_reward(self, meta: Meta, children: list[Token]) -> nodes.ExpectReward:
        _, op, number = children
        return nodes.ExpectReward(str(op), self._number(number), self._span(meta))


def _of(parts: list[Any], kind: type[Any]) -> tuple[Any, ...]:
    return tuple(part for part in parts if isinstance(part, kind))
