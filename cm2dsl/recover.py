"""A text that is not in the language, read to its end: one fault after the other, and a tree.

The parser is fed lexemes. Where it cannot go on, the fault is reported, the list is edited
(`repair.py`), and it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from cm2dsl import tables
from cm2dsl.braces import missing_brace, stray_brace
from cm2dsl.driver import (
    ACTIONS,
    DEEPEST,
    EOF,
    NESTING,
    Rule,
    Stack,
    reduce,
    walk,
)
from cm2dsl.lexemes import Lexeme, kind_of, lexemes, split_phrase
from cm2dsl.nodes import Doubt, Token
from cm2dsl.repair import STARTS, Edit, best_edit, blank, run
from cm2dsl.source import Source

MOST_FAULTS = 200
"""Faults after which the rest of a text is not read: it is no spec."""

FAULTS_WITHOUT_EDITION = 5
"""The same for a text that does not begin as a spec does."""


NOTHING = Edit(0, 0, (), 0.0)


class Stuck(Struct, frozen=True):
    """Where the parser cannot go on: before `found[at]`, or at the end of the text.

    `too_deep`: it could, but for the brackets that are open.
    """

    stack: Stack
    found: list[Lexeme]
    at: int
    too_deep: bool


Report = Callable[[Stuck, Edit], Doubt]
"""Says what is wrong where the parser is stuck, and which part of the text is in doubt."""


class Recovery:
    """A text while it is read. `doubtful` are the parts of it that are not what was meant."""

    def __init__(self, source: Source, rules: Sequence[Rule], report: Report) -> None:
        self.source = source
        self.rules = rules
        self.report = report
        self.found = lexemes(source.text)
        self.doubtful: list[Doubt] = []
        self.stack = Stack()
        self.at = 0
        self._base = (self.stack.copy(), 0)

    def read(self) -> Any:
        """What the start rule's method gives; None where the text is nothing like the language."""
        most = MOST_FAULTS
        if not self.found or self.found[0].text != "cm2":
            self.doubtful.append(self.report(Stuck(self.stack, self.found, 0, False), NOTHING))
            if not self.found:
                return None
            self.found[:0] = [blank("CM2", 0), blank("NUMBER", 0)]
            most = FAULTS_WITHOUT_EDITION
        while (stuck := self._advance()) is not None:
            if len(self.doubtful) > most:
                return None
            edit = self._moved() or best_edit(
                self.source, self.stack, self.found, self.at, self._states_before, stuck.too_deep
            )
            self.doubtful.append(self.report(stuck, edit))
            self._apply(edit)
        return self.stack.values[-1]

    def _moved(self) -> Edit | None:
        """The brace that the indentation misses or has too much, if the parser then goes on."""
        at = self.found[self.at] if self.at < len(self.found) else None
        if not (at is None or at.text == "}" or at.text in STARTS):
            return None
        opened = [one.start for one in self.stack.open() if one.kind == "LBRACE"]
        edits: list[tuple[int, Edit]] = []
        missing = missing_brace(self.source, self.found, opened, self.at)
        if missing is not None and missing != self.at:
            put = (blank("RBRACE", self.found[missing].start),)
            edits.append((-self._reach(missing, 0, put) + 1, Edit(missing, 0, put, 0, moved=True)))
        stray = stray_brace(self.source, self.found, self.at)
        if stray is not None:
            edits.append((-self._reach(stray, 1, ()) - 1, Edit(stray, 1, (), 0, moved=True)))
        reached, edit = min(edits, default=(0, NOTHING), key=lambda one: one[0])
        return edit if -reached > self.at else None

    def _reach(self, place: int, removed: int, put: tuple[Lexeme, ...]) -> int:
        """How far the parser reads, in lexemes, after an edit."""
        mended = [*self.found[:place], *put, *self.found[place + removed :]]
        return run(Stack().states, mended, True)

    def _advance(self) -> Stuck | None:
        """Feed the parser until it is stuck; None once it has read everything."""
        while self.at < len(self.found):
            if len(self.stack.states) <= 3:
                self._base = (self.stack.copy(), self.at)
            one = self.found[self.at]
            actions = ACTIONS[self.stack.states[-1]]
            kind = kind_of(one, actions)
            if kind == "NOTHING_ELSE" and kind not in actions:
                self.found[self.at : self.at + 1] = split_phrase(one)
                continue
            deep = kind in NESTING and sum(t.kind in NESTING for t in self.stack.open()) >= DEEPEST
            if kind is None or deep or not self._feed(kind, one):
                return Stuck(self.stack, self.found, self.at, deep)
            self.at += 1
        end = len(self.source.text)
        if self._feed(EOF, Lexeme(0, "", end, end)):
            return None
        return Stuck(self.stack, self.found, self.at, False)

    def _feed(self, kind: str, one: Lexeme) -> bool:
        stack = self.stack
        while True:
            action = ACTIONS[stack.states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                stack.states.append(action)
                stack.values.append(Token(kind, one.text, one.start, one.stop))
                stack.starts.append(one.start)
                stack.ends.append(one.stop)
                return True
            state = reduce(self.source, self.rules[-1 - action], stack)
            if state == tables.END and kind == EOF:
                return True

    def _states_before(self, place: int) -> list[int]:
        """The states before a lexeme of this statement that was read."""
        stack, first = self._base
        states = stack.states.copy()
        for one in self.found[first:place]:
            walk(states, kind_of(one, ACTIONS[states[-1]]) or "")
        return states

    def _apply(self, edit: Edit) -> None:
        if edit.moved:
            self.stack, self.at = Stack(), 0
        elif edit.at < self.at:
            base, self.at = self._base
            self.stack = base.copy()
            while self.at < edit.at:
                one = self.found[self.at]
                self._feed(kind_of(one, ACTIONS[self.stack.states[-1]]) or "", one)
                self.at += 1
        if edit.popped:
            self.stack.pop(edit.popped)
        self.found[edit.at : edit.at + edit.removed] = edit.put
