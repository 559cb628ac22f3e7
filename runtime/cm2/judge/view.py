"""What the judge sees for one question: which segments, how much of them, and which are in scope.

All items of a turn are shown the same dialogue, whatever they look at, so that their prompts begin
alike: without reasoning, and with long texts cut. What an item looks at and is not there whole is
shown once more behind the dialogue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from cm2.judge.bounds import MARKER, Bounded, Sized, bounded, caps
from cm2.judge.hygiene import hygiene_for
from cm2.trajectory import Segment, Trajectory, segments
from cm2dsl import ir
from cm2dsl.ir import DIALOGUE
from cm2dsl.signature import signature

_STEP = re.compile(r"t(\d+)\.s(\d+)")
_AROUND = len("[]\n\n\n\n")
"""Letters around a segment, besides its name and its fences."""


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
    """How much is shown, in letters: of a tool's result that is not in focus, and of all texts.

    What a prompt says around the texts comes to less than 4,000 letters more.
    """

    result: int = 8_000
    total: int = 400_000


class ViewError(ValueError):
    """A dialogue that cannot be shown. The message says why."""


@dataclass(frozen=True, slots=True)
class View:
    """The dialogue as shown: texts made safe, and a fence that none of them contains.

    `segments` are those of the dialogue with what is shown of each, the same for all items of a
    turn; `whole` those that the item looks at and that are not whole among them. `starts[t]` is the
    number of steps before turn t, `steps` that of the item's own scope.
    """

    turn: int | None
    system: str
    tools: tuple[str, ...]
    segments: tuple[tuple[Segment, Bounded], ...]
    whole: tuple[Segment, ...]
    fence: str
    starts: tuple[int, ...]
    steps: int

    def texts(self) -> dict[str, tuple[str, ...]]:
        """name -> what of it is shown: one text, or two with a gap between them."""
        shown = {segment.name: part.pieces for segment, part in self.segments}
        return shown | {segment.name: (segment.text,) for segment in self.whole}

    def in_focus(self, focus: ir.Channel) -> tuple[str, ...]:
        """The names of the segments of this channel in the item's scope."""
        return tuple(
            segment.name
            for segment in self._every()
            if segment.channel == focus and in_scope(segment, self.turn)
        )

    def step_of(self, names: Sequence[str]) -> int | None:
        """The step of the scope, from 0, after which all these segments are there.

        None where none of them is an agent's step in the scope: they do not date anything.
        """
        steps = [
            segment.step + (self.starts[segment.turn] if self.turn is None else 0)
            for segment in self._every()
            if segment.name in names and segment.step is not None and in_scope(segment, self.turn)
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

    def _every(self) -> list[Segment]:
        inside = [segment for segment, _ in self.segments]
        names = {segment.name for segment in inside}
        return [*inside, *(segment for segment in self.whole if segment.name not in names)]


def in_scope(segment: Segment, turn: int | None) -> bool:
    """Whether a segment is of the turn; any is of the task."""
    return turn is None or segment.turn == turn


def view(
    question: Question, control_tokens: Sequence[str], limits: ViewLimits = ViewLimits()
) -> View:
    """What is shown for the question.

    Task-scope items, and all where the spec says `view dialogue`, see the whole dialogue; others
    see it up to and with their turn. The fence is free in the whole dialogue, so that it is the
    same for every turn. Tools' results give way first, then what is of other turns than the item's,
    then the rest of the dialogue. What the item looks at is shown whole in any case, and so are
    what the agent was told, its tools and the item.

    Raises ValueError where the trajectory has no such turn, and ViewError where `limits` leave no
    room.
    """
    trajectory, turn = question.trajectory, question.turn
    if turn is not None and not 0 <= turn < len(trajectory.turns):
        raise ValueError(f"the trajectory `{trajectory.id}` has no turn {turn}")
    clean = hygiene_for(control_tokens)
    every = [replace(segment, text=clean.text(segment.text)) for segment in segments(trajectory)]
    system = clean.text((trajectory.system or question.spec.system).strip())
    tools = tuple(clean.text(signature(tool)) for tool in question.spec.tools)
    fence = clean.fence([system, *tools, *(segment.text for segment in every)])
    last = turn if question.spec.judge.view == "turn" else None
    reached = [segment for segment in every if last is None or segment.turn <= last]
    fixed = len(system) + sum(len(tool) + 1 for tool in tools) + _length_of_item(question)
    shown, whole = _parts(question, reached, limits, limits.total - fixed, 2 * len(fence))
    counts = [len(each.steps) for each in trajectory.turns]
    return View(
        turn=turn,
        system=system,
        tools=tools,
        segments=shown,
        whole=whole,
        fence=fence,
        starts=tuple(accumulate(counts, initial=0)),
        steps=sum(counts) if turn is None else counts[turn],
    )


def _parts(
    question: Question, reached: Sequence[Segment], limits: ViewLimits, room: int, fences: int
) -> tuple[tuple[tuple[Segment, Bounded], ...], tuple[Segment, ...]]:
    """The dialogue that all items of the turn share, and what this one is shown whole behind it.

    Where there is no room for both, the item has a dialogue of its own, in which what it looks at
    stands whole. Raises ViewError.
    """
    turn, focus = question.turn, question.item.focus
    shared = [segment for segment in reached if segment.channel != "reasoning"]
    looked_at = [each for each in reached if each.channel == focus and in_scope(each, turn)]

    def sized(segment: Segment, rank: int | None) -> Sized:
        return Sized(len(segment.text), len(segment.name) + fences + _AROUND, rank)

    def length(several: Sequence[Segment]) -> int:
        return sum(sized(each, None).shown(None) for each in several)

    most = caps([sized(each, _rank(each, turn)) for each in shared], limits.result, room)
    if most is not None:
        shown = tuple((s, bounded(s.text, cap)) for s, cap in zip(shared, most, strict=True))
        there = {segment.name for segment, part in shown if not part.left_out}
        whole = tuple(segment for segment in looked_at if segment.name not in there)
        cut = sum(part.left_out - MARKER for _, part in shown if part.left_out)
        if length(shared) - cut + length(whole) <= room:
            return shown, whole
    whole = tuple(segment for segment in looked_at if segment.channel == "reasoning")
    names = {segment.name for segment in looked_at}
    sizes = [sized(s, None if s.name in names else _rank(s, turn)) for s in shared]
    most = caps(sizes, limits.result, room - length(whole))
    if most is None:
        needed = limits.total - room + length(looked_at)
        raise ViewError(
            f"the prompt cannot be kept to {limits.total} letters: what the agent was told, its "
            f"tools, the item and what it looks at take {needed}, besides the dialogue around it"
        )
    return tuple((s, bounded(s.text, cap)) for s, cap in zip(shared, most, strict=True)), whole


def _rank(segment: Segment, turn: int | None) -> int:
    """When a segment gives way: results, then what is of another turn, then the rest."""
    if segment.channel == "tool_result" or ".user_result" in segment.name:
        return 0
    return 2 if in_scope(segment, turn) else 1


def _length_of_item(question: Question) -> int:
    item, row = question.item, question.row
    return sum(len(ir.fill(text, row)) for text in (item.ask or (), *item.passes, *item.fails))
