"""What a check sees of a dialogue, and the questions that reward.py asks of it.

Facts are the calls and replies of a dialogue, each with its step. A `Scope` holds those of one turn,
or of the whole dialogue, and answers every question for all steps at once: bit s of an answer is
its value after step s. What the user called before it spoke counts from its turn's first step on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from cm2dsl.checks import Json, at, fold, fold_value, is_number, numbers, written
from cm2dsl.jsonl import JsonError, parse
from cm2dsl.trajectory import Trajectory, has_failed
from cm2dsl.trajectory import Turn as DialogueTurn

Condition = Callable[[Json], bool]
Tools = str | Collection[str] | None
"""A tool, one of several, or any."""

Pattern = tuple[Tools, Condition | None]
UNREAD: Any = object()


class CallFact(Struct):
    """One call. `step` counts from 0 in its turn, `at` in the dialogue; `index` in its message.

    `arguments` is None where they are no JSON object, `text` (the result) where there is none.
    `flagged` is what the dialogue says of the result being an error.
    """

    tool: str
    arguments: Mapping[str, Json] | None
    turn: int
    step: int
    at: int
    index: int
    by_user: bool = False
    text: str | None = None
    flagged: bool | None = None
    parsed: Json = UNREAD

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
            return wanted != "" and wanted in self._folded(ignoring)
        if not is_number(value):
            return False
        if self.figures is None:
            self.figures = numbers(self.text)
        number = written(value)
        return number in self.figures or (number > 0 and -number in self.figures)

    def _folded(self, ignoring: str) -> str:
        if self.folded is None:
            self.folded = {}
        if ignoring not in self.folded:
            self.folded[ignoring] = fold(self.text, ignoring)
        return self.folded[ignoring]


class TurnFacts(Struct):
    """One turn: `start` steps went before it in the dialogue; `closed` are the steps that reply
    and call nothing, a bit a step. `acts` are what the user called.
    """

    start: int
    steps: int
    calls: list[CallFact]
    replies: list[ReplyFact]
    acts: list[CallFact]
    closed: int


def facts_of(trajectory: Trajectory) -> list[TurnFacts]:
    """The facts of a dialogue, turn by turn."""
    found: list[TurnFacts] = []
    start = 0
    for number, turn in enumerate(trajectory.turns):
        found.append(_turn_facts(turn, number, start))
        start += len(turn.steps)
    return found


def _turn_facts(turn: DialogueTurn, number: int, start: int) -> TurnFacts:
    facts = TurnFacts(start, len(turn.steps), [], [], [], 0)
    for index, call in enumerate(turn.acts):
        act = CallFact(
            call.tool, call.arguments, number, 0, start, index, True, call.result, call.failed
        )
        facts.acts.append(act)
    for s, step in enumerate(turn.steps):
        for index, call in enumerate(step.calls):
            fact = CallFact(
                call.tool,
                call.arguments,
                number,
                s,
                start + s,
                index,
                False,
                call.result,
                call.failed,
            )
            facts.calls.append(fact)
        if step.reply:
            facts.replies.append(ReplyFact(step.reply, number, s, start + s))
            if not step.calls and step.malformed is None:
                facts.closed |= 1 << s
    return facts


Matched = tuple[int, CallFact | ReplyFact, str]
"""(step in the scope, what matched, `call`, `result` or `reply`)."""


class Scope:
    """The facts of one turn, or with `whole` of all the turns given.

    Every question returns the steps at which it is true, a bit a step. `found` collects what
    matched, as evidence; `all` has a bit for every step.
    """

    __slots__ = (
        "_by_tool",
        "all",
        "calls",
        "closed",
        "found",
        "replies",
        "steps",
        "turns",
        "whole",
    )

    def __init__(self, turns: Sequence[TurnFacts], whole: bool = False) -> None:
        self.turns = turns
        self.whole = whole
        if len(turns) == 1:
            (turn,) = turns
            self.steps, self.closed = turn.steps, turn.closed
            self.calls, self.replies = turn.calls, turn.replies
        else:
            self.steps, self.closed, self.calls, self.replies = 0, 0, [], []
            for turn in turns:
                self.closed |= turn.closed << self.steps
                self.steps += turn.steps
                self.calls += turn.calls
                self.replies += turn.replies
        self.all = (1 << self.steps) - 1
        self.found: list[Matched] = []
        self._by_tool: dict[str, list[CallFact]] | None = None

    @property
    def user(self) -> Scope:
        """The same dialogue with what the user called in place of what the agent called."""
        scope = Scope(self.turns, self.whole)
        scope.calls = [act for turn in self.turns for act in turn.acts]
        scope.found = self.found
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
        found = [call for call in self._matching(tool, where, but) if call.failed is False]
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
        self._note("call", [*ones, *others])
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
        self._note("result", found)
        return self._from(self._step(found[0])) if found else 0

    def replied(self) -> int:
        """The step says something and calls no tool."""
        if self.closed:
            closed = [r for r in self.replies if self.closed >> self._step(r) & 1]
            self._note("reply", closed)
        return self.closed

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
                    first = max(self._step(call), self._step(said[0]))
                    self.found.append((first, call, "result"))
                    self._note("reply", said)
                    steps |= self._from(first)
        return steps

    # --- answers --------------------------------------------------------------------------------

    def _matching(
        self, tool: Tools, where: Condition | None, but: Iterable[Pattern]
    ) -> list[CallFact]:
        found = self._of_tool(tool)
        if where is not None:
            found = [c for c in found if c.arguments is not None and where(c.arguments)]
        for other, unless in but:
            found = [call for call in found if not _meets(call, other, unless)]
        return found

    def _of_tool(self, tool: Tools) -> list[CallFact]:
        if tool is None:
            return self.calls
        if not isinstance(tool, str):
            return [call for call in self.calls if call.tool in tool]
        if self._by_tool is None:
            self._by_tool = {}
            for call in self.calls:
                self._by_tool.setdefault(call.tool, []).append(call)
        return self._by_tool.get(tool, [])

    def _step(self, fact: CallFact | ReplyFact) -> int:
        """A fact's step in this scope; what the user did after the last step counts at that."""
        step = fact.at if self.whole else fact.step
        return step if step < self.steps else max(self.steps - 1, 0)

    def _from(self, step: int) -> int:
        return self.all >> step << step

    def _counted(self, found: Sequence[CallFact], at_least: int, at_most: int | None) -> int:
        self._note("call", found)
        steps = self.all
        if at_least:
            if len(found) < at_least:
                return 0
            steps = self._from(self._step(found[at_least - 1]))
        if at_most is not None and len(found) > at_most:
            steps &= ~self._from(self._step(found[at_most]))
        return steps

    def _said(self, found: Sequence[ReplyFact]) -> int:
        self._note("reply", found)
        return self._from(self._step(found[0])) if found else 0

    def _note(self, kind: str, facts: Sequence[CallFact | ReplyFact]) -> None:
        self.found += [(self._step(fact), fact, kind) for fact in facts]


def _meets(call: CallFact, tool: Tools, where: Condition | None) -> bool:
    if tool is not None and (call.tool != tool if isinstance(tool, str) else call.tool not in tool):
        return False
    return where is None or (call.arguments is not None and where(call.arguments))


def evidence(found: Iterable[Matched], last: int) -> list[str]:
    """The names of the segments that matched up to and with step `last`, each once."""
    names = (
        fact.name if isinstance(fact, ReplyFact) else fact.segment(kind)
        for step, fact, kind in found
        if step <= last
    )
    return list(dict.fromkeys(names))
