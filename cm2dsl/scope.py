"""What a check sees of a dialogue, and the questions that reward.py asks of it.

Facts are the calls and replies of a dialogue, each with its step. A `Scope` holds those of a turn,
or of the whole dialogue, and answers every question for all steps at once: bit s of an answer is
its value after step s. What the user called before it spoke counts from its turn's first step on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from msgspec import Struct

from cm2dsl.checks import Json, at, fold, fold_value, is_number, numbers, plain, written
from cm2dsl.jsonl import JsonError, parse, parse_object
from cm2dsl.trajectory import Call, Trajectory, has_failed

Condition = Callable[[Json], bool]
Tools = str | Collection[str] | None
"""A tool, one of several, or any."""

Pattern = tuple[Tools, Condition | None]
UNREAD: Any = object()


class CallFact(Struct):
    """One call. `step` counts from 0 in its turn, `at` in the dialogue; `index` in its message.

    `given` are the arguments: as text until they are asked for, None where they are no JSON object.
    `text` is the result, None where there is none; `flagged` what the dialogue says of its being an
    error.
    """

    tool: str
    given: str | Mapping[str, Json] | None
    turn: int
    step: int
    at: int
    index: int
    by_user: bool = False
    text: str | None = None
    flagged: bool | None = None
    parsed: Json = UNREAD

    @property
    def arguments(self) -> Mapping[str, Json] | None:
        """The arguments; None where they are not strictly a JSON object."""
        if isinstance(self.given, str):
            self.given = parse_object(self.given)
        return self.given

    @property
    def result(self) -> Json:
        """The result as JSON; None where there is none, or where it is not strict JSON."""
        if self.parsed is UNREAD:
            try:
                self.parsed = parse(self.text) if self.text is not None else None
            except JsonError:
                self.parsed = None
        return self.parsed

    @property
    def failed(self) -> bool | None:
        """Whether the result is an error; None where there is no result."""
        return None if self.text is None else has_failed(self.text, self.flagged)

    def segment(self, channel: str) -> str:
        """The name of the segment that holds the call (`call`) or its result (`result`)."""
        stem = f"t{self.turn}.user_" if self.by_user else f"t{self.turn}.s{self.step}.tool_"
        return f"{stem}{channel}.{self.index}" if self.index else f"{stem}{channel}"


class ReplyFact(Struct):
    """What one step says. `folded` and `figures` are filled in when they are asked for."""

    text: str
    turn: int
    step: int
    at: int
    folded: dict[str, str] | None = None
    figures: list[Decimal] | None = None

    @property
    def name(self) -> str:
        return f"t{self.turn}.s{self.step}.reply"

    def says(self, value: Json, ignoring: str = "") -> bool:
        """Whether the reply says a value: text as it stands, a number in any of its written forms.

        A sign counts for negative values alone, so `-120` says 120. Lists, objects, null and empty
        text are never said.
        """
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str):
            wanted = fold_value(value, ignoring)
            return wanted != "" and self._has(wanted, ignoring)
        if not is_number(value):
            return False
        if self.figures is None:
            self.figures = numbers(self.text)
        number = written(value)
        return number in self.figures or (number > 0 and -number in self.figures)

    def _has(self, wanted: str, ignoring: str) -> bool:
        """Whether folded text is in the folded reply."""
        if self.folded is None:
            self.folded = {}
        # Figures have no case and no white space: most of the folding can be left out.
        figures = wanted.isascii() and wanted.isdecimal()
        key = f"0{ignoring}" if figures else f"a{ignoring}"
        if key not in self.folded:
            self.folded[key] = (plain if figures else fold)(self.text, ignoring)
        return wanted in self.folded[key]


Mark = tuple[int, int, int, int]
"""Where a turn begins: its first step in the dialogue, and its first call, reply and act."""


class Facts(Struct):
    """The facts of a dialogue, in order; `acts` are what the user called, and `said` the replies:
    (text, turn, step, step in the dialogue), made records of when a question is asked of them.

    `closed` are the steps that reply and call nothing, a bit a step of the dialogue. `marks` has
    one entry a turn, and one more for the end.
    """

    calls: list[CallFact]
    said: list[tuple[str, int, int, int]]
    acts: list[CallFact]
    closed: int
    marks: list[Mark]
    read: list[ReplyFact] | None = None

    @property
    def replies(self) -> list[ReplyFact]:
        if self.read is None:
            self.read = [ReplyFact(*each) for each in self.said]
        return self.read

    @property
    def lengths(self) -> list[int]:
        """The steps of every turn."""
        steps = [mark[0] for mark in self.marks]
        return [end - start for start, end in pairwise(steps)]


def facts_of(trajectory: Trajectory) -> Facts:
    """The facts of a dialogue."""
    facts = Facts([], [], [], 0, [])
    at = 0
    for number, turn in enumerate(trajectory.turns):
        facts.marks.append(_mark(facts, at))
        for index, call in enumerate(turn.acts):
            facts.acts.append(_call_fact(call, number, 0, at, index, by_user=True))
        for s, step in enumerate(turn.steps):
            for index, call in enumerate(step.calls):
                facts.calls.append(_call_fact(call, number, s, at, index))
            if step.reply:
                facts.said.append((step.reply, number, s, at))
                if not step.calls and step.malformed is None:
                    facts.closed |= 1 << at
            at += 1
    facts.marks.append(_mark(facts, at))
    return facts


def _mark(facts: Facts, at: int) -> Mark:
    return (at, len(facts.calls), len(facts.said), len(facts.acts))


def _call_fact(
    call: Call, turn: int, step: int, at: int, index: int, by_user: bool = False
) -> CallFact:
    given, result = call.arguments, call.result
    return CallFact(call.tool, given, turn, step, at, index, by_user, result, call.failed)


Matched = tuple[str, Sequence[CallFact] | Sequence[ReplyFact]]
"""What matched a question: `call` or `result` and calls, `reply` and replies, or `closed`: the
replies that call nothing."""


class Scope:
    """The facts of one turn, or of all turns before `turns`.

    Every question returns the steps at which it is true, a bit a step. `found` collects what
    matched, as evidence; `all` has a bit for every step.
    """

    __slots__ = ("_end", "_facts", "_start", "all", "calls", "found", "start", "steps")

    def __init__(self, facts: Facts, *, turn: int | None = None, turns: int | None = None) -> None:
        marks = facts.marks
        first = 0 if turn is None else turn
        last = turn + 1 if turn is not None else len(marks) - 1 if turns is None else turns
        self._facts = facts
        self._start, self._end = start, end = marks[first], marks[last]
        self.start = start[0]
        self.steps = end[0] - start[0]
        self.all = (1 << self.steps) - 1
        calls = facts.calls
        self.calls = calls if last + 1 == len(marks) and not first else calls[start[1] : end[1]]
        self.found: list[Matched] = []

    @property
    def replies(self) -> list[ReplyFact]:
        return self._facts.replies[self._start[2] : self._end[2]]

    @property
    def user(self) -> Scope:
        """The same dialogue with what the user called in place of what the agent called."""
        scope = object.__new__(Scope)
        for name in ("_facts", "_start", "_end", "start", "steps", "all", "found"):
            setattr(scope, name, getattr(self, name))
        scope.calls = self._facts.acts[self._start[3] : self._end[3]]
        return scope

    # --- questions ------------------------------------------------------------------------------

    def called(
        self,
        tool: Tools,
        where: Condition | None = None,
        at_least: int = 1,
        at_most: int | None = None,
        but: Iterable[Pattern] = (),
    ) -> int:
        """Between `at_least` and `at_most` calls of the tool match `where` and none of `but`."""
        return self._counted(self._matching(tool, where, but), at_least, at_most)

    def succeeded(
        self,
        tool: Tools,
        where: Condition | None = None,
        at_least: int = 1,
        at_most: int | None = None,
        but: Iterable[Pattern] = (),
    ) -> int:
        """The same, of calls that were answered by a result that is no error."""
        found = self._matching(tool, where, but)
        if found:
            found = [call for call in found if call.failed is False]
        return self._counted(found, at_least, at_most)

    def failed(
        self,
        tool: Tools,
        where: Condition | None = None,
        at_least: int = 1,
        at_most: int | None = None,
        but: Iterable[Pattern] = (),
    ) -> int:
        """The same, of calls that were answered by an error."""
        found = [call for call in self._matching(tool, where, but) if call.failed]
        return self._counted(found, at_least, at_most)

    def before(
        self,
        first: Tools,
        where_first: Condition | None,
        second: Tools,
        where_second: Condition | None,
        but_first: Iterable[Pattern] = (),
        but_second: Iterable[Pattern] = (),
    ) -> int:
        """`first` was called, and `second` was not called in that step or an earlier one."""
        ones = self._matching(first, where_first, but_first)[:1]
        others = self._matching(second, where_second, but_second)[:1]
        self.found.append(("call", [*ones, *others]))
        if not ones or (others and self._step(others[0]) <= self._step(ones[0])):
            return 0
        return self._from(self._step(ones[0]))

    def result(
        self, tool: Tools, where: Condition | None, has: Condition, but: Iterable[Pattern] = ()
    ) -> int:
        """Some JSON result of a matching call meets `has`."""
        found = [
            call
            for call in self._matching(tool, where, but)
            if call.result is not None and has(call.result)
        ]
        self.found.append(("result", found))
        return self._from(self._step(found[0])) if found else 0

    def replied(self) -> int:
        """The step says something and calls no tool."""
        closed = self._facts.closed >> self.start & self.all
        self.found.append(("closed", ()))
        return closed

    def reply_contains(self, value: Json, ignoring: str = "") -> int:
        """Some reply says the value."""
        return self._said([reply for reply in self.replies if reply.says(value, ignoring)])

    def reply_matches(self, pattern: str) -> int:
        """The regular expression is found in some reply."""
        search = re.compile(pattern).search
        return self._said([reply for reply in self.replies if search(reply.text)])

    def reply_mentions(
        self,
        tool: Tools,
        where: Condition | None,
        *path: str | int | None,
        but: Iterable[Pattern] = (),
    ) -> int:
        """Some reply says a value at `path` in a matching call's result."""
        steps = 0
        for call in self._matching(tool, where, but):
            for value in at(call.result, *path):
                said = [reply for reply in self.replies if reply.says(value)]
                if said:
                    self.found += [("result", [call]), ("reply", said)]
                    steps |= self._from(max(self._step(call), self._step(said[0])))
        return steps

    # --- answers --------------------------------------------------------------------------------

    def _matching(
        self, tool: Tools, where: Condition | None, but: Iterable[Pattern]
    ) -> list[CallFact]:
        found = self._of_tool(tool)
        if where is not None and found:
            found = [c for c in found if (a := c.arguments) is not None and where(a)]
        for other, unless in but:
            found = [call for call in found if not _meets(call, other, unless)]
        return found

    def _of_tool(self, tool: Tools) -> list[CallFact]:
        if tool is None:
            return self.calls
        if type(tool) is str:
            return [call for call in self.calls if call.tool == tool]
        return [call for call in self.calls if call.tool in tool]

    def _step(self, fact: CallFact | ReplyFact) -> int:
        """A fact's step in this scope; what the user did after the last step counts at that."""
        step = fact.at - self.start
        return step if step < self.steps else max(self.steps - 1, 0)

    def _from(self, step: int) -> int:
        return self.all >> step << step

    def _counted(self, found: Sequence[CallFact], at_least: int, at_most: int | None) -> int:
        if found:
            self.found.append(("call", found))
        steps = self.all
        if at_least:
            if len(found) < at_least:
                return 0
            first = self._step(found[at_least - 1])
            steps = steps >> first << first
        if at_most is not None and len(found) > at_most:
            steps &= ~self._from(self._step(found[at_most]))
        return steps

    def _said(self, found: Sequence[ReplyFact]) -> int:
        self.found.append(("reply", found))
        return self._from(self._step(found[0])) if found else 0

    def evidence(self, found: Iterable[Matched], last: int) -> list[str]:
        """The names of the segments that matched up to and with step `last`, each once."""
        names: dict[str, None] = {}
        for kind, facts in found:
            for fact in self._closed() if kind == "closed" else facts:
                if self._step(fact) > last:
                    continue
                name = fact.name if isinstance(fact, ReplyFact) else fact.segment(kind)
                names[name] = None
        return list(names)

    def _closed(self) -> list[ReplyFact]:
        return [reply for reply in self.replies if self._facts.closed >> reply.at & 1]


def _meets(call: CallFact, tool: Tools, where: Condition | None) -> bool:
    if tool is not None and (call.tool != tool if isinstance(tool, str) else call.tool not in tool):
        return False
    return where is None or ((a := call.arguments) is not None and where(a))
