"""Text through the LALR tables: tokens, shifts and reductions, in one loop.

The lexer is contextual: a word is a keyword only where the parser's state has a place for it, so
items, turns and tools may have any name.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from sys import intern
from typing import Any, NamedTuple

from cm2dsl import tables
from cm2dsl.nodes import Token
from cm2dsl.source import Source, Span

EOF = "$END"
KEYWORDS, SIGNS = tables.KEYWORDS, tables.SIGNS
PHRASE, NAME, SIGN = (tables.KINDS.index(kind) + 1 for kind in ("NOTHING_ELSE", "NAME", "SIGN"))
TOKEN = re.compile(tables.TOKEN).match
IGNORED = re.compile(tables.IGNORED).match
FIRST = len("nothing")

# The IR is read back by a reader that goes some hundred levels deep; a level here is at most five.
NESTING = ("LPAR", "LSQB", "NOT")
DEEPEST = 32

Method = Callable[[Span, Sequence[Any]], Any]


class Rows(dict[int, dict[str, int]]):
    """The rows of a table by their state, each read when it is first asked for."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self.lines = lines

    def __missing__(self, state: int) -> dict[str, int]:
        words = self.lines[state].split(" ")
        # A row that is empty is one empty word.
        row = dict(zip(map(intern, words[::2]), map(int, words[1::2]), strict=False))
        self[state] = row
        return row


ACTIONS, GOTOS = Rows(tables.ACTIONS), Rows(tables.GOTOS)


class Unexpected(Exception):  # noqa: N818 - the caller says what is wrong
    """What may not stand here. `token` is it, None where the text from `start` on is no token.

    The last token that was read ends at `position`.
    """

    def __init__(self, position: int, start: int, token: Token | None, stack: Stack) -> None:
        self.position = position
        self.start = start
        self.token = token
        self.stack = stack


class TooDeep(Exception):  # noqa: N818
    """More than DEEPEST brackets in each other, from `token` on."""

    def __init__(self, token: Token) -> None:
        self.token = token


class Stack:
    """What was read and is not finished: states, and for each but the first its value and place."""

    __slots__ = ("ends", "starts", "states", "values")

    def __init__(self) -> None:
        self.states = [tables.START]
        self.values: list[Any] = [None]
        self.starts = [0]
        self.ends = [0]

    def copy(self) -> Stack:
        """The same stack, which goes on apart."""
        other = object.__new__(Stack)
        other.states, other.starts, other.ends = [*self.states], [*self.starts], [*self.ends]
        other.values = [[*one] if type(one) is list else one for one in self.values]
        return other

    def pop(self, count: int) -> None:
        """Forget the last values: what they were is lost."""
        for one in (self.states, self.values, self.starts, self.ends):
            del one[len(one) - count :]

    def open(self) -> list[Token]:
        """The tokens that were read and are not yet part of a finished rule."""
        return [value for value in self.values if isinstance(value, Token)]

    def accepts(self) -> set[str]:
        """The terminals that may come next."""
        return {kind for kind in ACTIONS[self.states[-1]] if self.takes(kind)}

    def takes(self, kind: str) -> bool:
        """Whether a terminal may come next: the table may reduce before it sees that it cannot."""
        return walk(self.states.copy(), kind)


def walk(states: list[int], kind: str) -> bool:
    """Reduce and shift a terminal, on states alone; False where it may not come."""
    while True:
        action = ACTIONS[states[-1]].get(kind)
        if action is None:
            return False
        if action >= 0:
            states.append(action)
            return True
        name, length, _, _ = tables.RULES[-1 - action]
        del states[len(states) - length :]
        goto = GOTOS[states[-1]][name]
        states.append(goto)
        if goto == tables.END and kind == EOF:
            return True


class Rule(NamedTuple):
    """A rule of the grammar, bound to the builder's method that reads it.

    Without a method, a rule hands its child at `child` on; a list (`grows`) takes it in, as its
    first element or, where `spread` says so, as its next.
    """

    name: str
    length: int
    method: Method | None
    take: Callable[[list[Any]], Sequence[Any]]
    spread: tuple[int, ...]
    child: int
    grows: bool


def rules_for(builder: object) -> list[Rule]:
    """Every rule, with the builder's method of that name."""
    return [
        Rule(name, length, getattr(builder, method) if method else None, *rest)
        for name, length, method, *rest in _rules()
    ]


@cache
def _rules() -> list[tuple[Any, ...]]:
    """The fields of every rule, with the name of its method where it calls one."""
    return [
        (
            name,
            length,
            None if name.startswith("__") else method,
            _taken(plan),
            tables.SPREAD.get(index, ()),
            plan[-1] if plan else 0,
            name.startswith("__"),
        )
        for index, (name, length, method, plan) in enumerate(tables.RULES)
    ]


def _taken(plan: tuple[int, ...]) -> Callable[[list[Any]], Sequence[Any]]:
    if not plan:
        return lambda values: ()
    if len(plan) == 1:
        one = plan[0]
        return lambda values: (values[one],)
    return itemgetter(*plan)


def _apart(children: Sequence[Any], spread: tuple[int, ...]) -> list[Any]:
    """The children, those of lists in place of the lists."""
    flat: list[Any] = []
    for place, child in enumerate(children):
        if place in spread:
            flat += child
        else:
            flat.append(child)
    return flat


def skip(text: str, position: int) -> int:
    """Where the next character is that is no white space and no comment."""
    match = IGNORED(text, position)
    return match.end() if match is not None else position


def _refuse_too_deep(token: Token | None, stack: Stack) -> None:
    if token is not None and sum(one.kind in NESTING for one in stack.open()) >= DEEPEST:
        raise TooDeep(token)


def drive(
    source: Source, rules: Sequence[Rule], stack: Stack, read: list[Token] | None = None
) -> Any:
    """What the start rule's method gives for the text; its tokens are added to `read`.

    Raises Unexpected and TooDeep.
    """
    collects = gc.isenabled()
    gc.disable()  # all that is made here is kept, and holds no circles
    try:
        return _drive(source, rules, stack, read)
    finally:
        if collects:
            gc.enable()


def reduce(source: Source, rule: Rule, stack: Stack) -> int:
    """Take what a rule is made of from the stack and put on what it makes; the new state."""
    name, length, method, take, spread, child, grows = rule
    states, values, starts, ends = stack.states, stack.values, stack.starts, stack.ends
    if method is not None:
        children = take(values)
        if spread:
            children = _apart(children, spread)
        value = method(Span(source, starts[-length], ends[-1]), children)
    elif grows and spread:
        value = values[-length]
        value.append(values[child])
    else:
        value = [values[child]] if grows else values[child]
    if length > 1:
        del states[-length:], values[1 - length :], starts[1 - length :]
        ends[-length] = ends[-1]
        del ends[1 - length :]
    else:
        del states[-1]
    values[-1] = value
    state = GOTOS[states[-1]][name]
    states.append(state)
    return state


def _drive(source: Source, rules: Sequence[Rule], stack: Stack, read: list[Token] | None) -> Any:
    text = source.text
    states, values, starts, ends = stack.states, stack.values, stack.starts, stack.ends
    kinds = (None, *tables.KINDS)
    keyword = KEYWORDS.get
    actions = ACTIONS[states[-1]]
    position = end = start = 0
    token: Token | None
    while True:
        match = TOKEN(text, position)
        if match is None:
            start = skip(text, position)
            if start < len(text):
                raise Unexpected(position, start, None, stack)
            kind, token = EOF, None
        else:
            group = match.lastindex or 0
            word = match[group]
            end = match.end()
            if group == NAME:
                kind = keyword(word, "NAME")
                if kind not in actions:
                    kind = "NAME"
            elif group == SIGN:
                kind = SIGNS[word]
            else:
                kind = kinds[group] or ""
                if group == PHRASE and kind not in actions:
                    end -= len(word)
                    word = word[:FIRST]
                    end += FIRST
                    kind = "NAME"
            start = end - len(word)
            token = Token(kind, word, start, end)
        while True:
            action = actions.get(kind)
            if action is None:
                raise Unexpected(position, start, token, stack)
            if action >= 0:
                if len(states) > DEEPEST and kind in NESTING:
                    _refuse_too_deep(token, stack)
                states.append(action)
                values.append(token)
                starts.append(start)
                ends.append(end)
                actions = ACTIONS[action]
                position = end
                if read is not None and token is not None:
                    read.append(token)
                break
            state = reduce(source, rules[-1 - action], stack)
            actions = ACTIONS[state]
            if kind == EOF and state == tables.END:
                return values[-1]
