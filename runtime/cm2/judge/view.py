"""What the judge sees for one question: which segments, in which words, and which are in scope."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from cm2.judge.hygiene import fence_for, neutralised
from cm2.trajectory import Segment, Trajectory, segments
from cm2dsl import ir
from cm2dsl.reward.checklist import DIALOGUE
from cm2dsl.signature import signature

_STEP = re.compile(r"t(\d+)\.s(\d+)")


@dataclass(frozen=True, slots=True)
class Question:
    """One item to be decided on one trajectory.

    `turn` is the number of the item's turn, from 0; None is task scope. `row` fills the item's
    texts, and is None where the task has no rows. `dated` asks for the step too.
    """

    spec: ir.Spec
    task: ir.Task
    row: ir.Row | None
    turn: int | None
    item: ir.Item
    trajectory: Trajectory
    dated: bool = False

    @property
    def name(self) -> str:
        """The item's full name with its task's, for what is counted by item."""
        scope = DIALOGUE if self.turn is None else self.task.turns[self.turn].name
        return f"{self.task.name}.{scope}.{self.item.name}"

    @property
    def lane(self) -> str:
        """What its prompt has in common with the others of the turn."""
        return f"{self.task.name} {self.trajectory.id} {self.turn}"


@dataclass(frozen=True, slots=True)
class ViewLimits:
    """How much is shown, in characters: of a tool's result that is not in focus, and in all."""

    result: int = 8_000
    total: int = 400_000


class ViewError(ValueError):
    """A dialogue that cannot be shown. The message says why."""


@dataclass(frozen=True, slots=True)
class View:
    """The dialogue as shown: neutralised texts, and a fence that none of them contains.

    `starts[t]` is the number of steps before turn t, `steps` that of the item's own scope.
    """

    turn: int | None
    system: str
    tools: tuple[str, ...]
    segments: tuple[Segment, ...]
    fence: str
    starts: tuple[int, ...]
    steps: int

    def texts(self) -> dict[str, str]:
        """name -> text of what is shown."""
        return {segment.name: segment.text for segment in self.segments}

    def in_focus(self, focus: ir.Channel) -> tuple[str, ...]:
        """The names of the segments of this channel in the item's scope."""
        return tuple(
            segment.name
            for segment in self.segments
            if segment.channel == focus and self._in_scope(segment)
        )

    def step_of(self, names: Sequence[str]) -> int | None:
        """The step of the scope, from 0, after which all these segments are there.

        None where none of them is an agent's step in the scope: they do not date anything.
        """
        steps = [
            segment.step + (self.starts[segment.turn] if self.turn is None else 0)
            for segment in self.segments
            if segment.name in names and segment.step is not None and self._in_scope(segment)
        ]
        return max(steps, default=None)

    def step_named(self, name: str) -> int | None:
        """The step of the scope, from 0, with a name such as `t1.s2`; None where there is none."""
        match = _STEP.fullmatch(name)
        if match is None:
            return None
        turn, step = int(match[1]), int(match[2])
        if turn >= len(self.starts) - 1 or self.starts[turn] + step >= self.starts[turn + 1]:
            return None
        if self.turn is None:
            return self.starts[turn] + step
        return step if turn == self.turn else None

    def _in_scope(self, segment: Segment) -> bool:
        return self.turn is None or segment.turn == self.turn


def view(
    question: Question, control_tokens: Sequence[str], limits: ViewLimits = ViewLimits()
) -> View:
    """What is shown for the question.

    Task-scope items, and all where the spec says `view dialogue`, see the whole dialogue; others
    see it up to and with their turn. Reasoning is hidden, unless it is what the item looks at. The
    fence is free in the whole dialogue, so that it is the same for every turn. A tool's result that
    is longer than `limits.result` loses its middle, unless the item looks at it.

    Raises ValueError where the trajectory has no such turn, and ViewError for a dialogue that is
    longer than `limits.total`.
    """
    trajectory, turn = question.trajectory, question.turn
    if turn is not None and not 0 <= turn < len(trajectory.turns):
        raise ValueError(f"the trajectory `{trajectory.id}` has no turn {turn}")
    last = turn if question.spec.judge.view == "turn" else None
    every = [
        replace(segment, text=neutralised(segment.text, control_tokens))
        for segment in segments(trajectory)
    ]
    system = neutralised(trajectory.system or question.spec.system, control_tokens).strip()
    tools = tuple(neutralised(signature(tool), control_tokens) for tool in question.spec.tools)
    counts = [len(each.steps) for each in trajectory.turns]
    focus = question.item.focus
    shown = tuple(
        _bounded(segment, limits.result)
        if segment.channel == "tool_result"
        and not (focus == "tool_result" and turn in (None, segment.turn))
        else segment
        for segment in every
        if (last is None or segment.turn <= last)
        and (segment.channel != "reasoning" or focus == "reasoning")
    )
    length = sum(map(len, [system, *tools, *(segment.text for segment in shown)]))
    if length > limits.total:
        raise ViewError(f"the dialogue takes {length} letters, and the judge reads {limits.total}")
    return View(
        turn=turn,
        system=system,
        tools=tools,
        segments=shown,
        fence=fence_for([system, *tools, *(segment.text for segment in every)]),
        starts=tuple(accumulate(counts, initial=0)),
        steps=sum(counts) if turn is None else counts[turn],
    )


def _bounded(segment: Segment, most: int) -> Segment:
    """The segment, the middle of a text of more than `most` characters left out."""
    text = segment.text
    if len(text) <= most:
        return segment
    half = most // 2
    left_out = f"\n[… {len(text) - 2 * half} …]\n"
    return replace(segment, text=text[:half] + left_out + text[len(text) - half :])
