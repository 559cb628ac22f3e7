"""What judging a rollout of a task takes: requests, and the size of their prompts.

A rollout is taken to be as long as the longest recording of the task: the judge is shown the
dialogue, so its prompts grow with it. Without a recording the dialogue is what the user says, and
the prediction is the least there can be. Every item with an `ask` is asked as often as there are
votes; one whose check decides it costs nothing, so the prediction is the most there can be.

Prompts are not rendered, they are added up, as long as `prompts/judge.user.*.jinja` make them, to
the letter, though whole where they cut long results. Tokens are an estimate, for the judge's
tokenizer is not known here: a letter of Chinese is one, and four others are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from msgspec import Struct

from cm2dsl import ir, prompts
from cm2dsl.ir import DIALOGUE
from cm2dsl.language import language_of
from cm2dsl.lint.phrases import PHRASES, Phrases
from cm2dsl.lint.scopes import scopes_of
from cm2dsl.lint.words import HAN
from cm2dsl.lower.anchors import Recordings
from cm2dsl.signature import signature
from cm2dsl.trajectory import Segment, Trajectory, Turn, segments

FENCE = "===="
"""The fence of nearly every dialogue; one that holds it gets another, of a few letters more."""
DATED = re.compile(r"\{% if dated %\}\n(.*?)\{% endif %\}\n", re.DOTALL)
"""What the instructions say only where the answer names a step."""


class Size(Struct, frozen=True):
    """Letters, and how many of them are Chinese."""

    letters: int = 0
    han: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.letters + other.letters, self.han + other.han)

    @property
    def tokens(self) -> int:
        """An estimate."""
        return self.han + -(-(self.letters - self.han) // 4)


class Prompt(Struct, frozen=True):
    """The size of a prompt for an item, by full name, and of its parts.

    `fixed` are the instructions, what the agent was told and the tools; `dialogue` is what is shown
    of it, and `criterion` what is asked.
    """

    item: str
    fixed: Size
    dialogue: Size
    criterion: Size

    @property
    def size(self) -> Size:
        return self.fixed + self.dialogue + self.criterion


class Cost(Struct, frozen=True):
    """What a rollout takes at most: one prompt for each item with an `ask`, each for every vote."""

    prompts: tuple[Prompt, ...]
    votes: int

    @property
    def calls(self) -> int:
        return len(self.prompts) * self.votes

    @property
    def tokens(self) -> int:
        """Of all prompts together."""
        return sum(one.size.tokens for one in self.prompts) * self.votes

    @property
    def largest(self) -> Prompt | None:
        return max(self.prompts, key=lambda one: one.size.tokens, default=None)


def cost_of(spec: ir.Spec, task: ir.Task, recordings: Recordings | None) -> Cost:
    """The cost of the longest recording of a task, or of what its user says."""
    votes = spec.judge.votes
    asked = [
        (scope, item)
        for scope, items in scopes_of(task).items()
        for item in items
        if item.ask is not None
    ]
    if not asked:
        return Cost((), votes)
    rows = {row.key: row for row in task.rows or ()}
    dialogue, pieces, row = max(
        _dialogues(task, rows, recordings), key=lambda one: _length(one[1]).tokens
    )
    return Cost(tuple(prompts_for(spec, task, row, dialogue, pieces, asked)), votes)


def _length(pieces: Sequence[Segment]) -> Size:
    return size_of("".join(piece.text for piece in pieces))


def _dialogues(
    task: ir.Task, rows: Mapping[str, ir.Row], recordings: Recordings | None
) -> list[tuple[Trajectory, Sequence[Segment], ir.Row | None]]:
    """The recordings of a task with their rows; without any, what the user says."""
    found: list[tuple[Trajectory, Sequence[Segment], ir.Row | None]] = []
    if recordings is not None:
        for place in recordings.of_task(task.name):
            dialogue = recordings.dialogues[place]
            row = rows.get(dialogue.task.partition("/")[2])
            if row is not None or task.rows is None:
                found.append((dialogue, recordings.segments[place], row))
    if not found:
        for row in rows.values() or (None,):
            turns = tuple(Turn(ir.fill(turn.user, row), ()) for turn in task.turns)
            dialogue = Trajectory("", task.name, turns)
            found.append((dialogue, segments(dialogue), row))
    return found


def prompts_for(
    spec: ir.Spec,
    task: ir.Task,
    row: ir.Row | None,
    dialogue: Trajectory,
    pieces: Sequence[Segment],
    asked: Iterable[tuple[str, ir.Item]],
) -> Iterator[Prompt]:
    """The prompts for items, each with its scope, of one dialogue and its segments.

    An item of a turn that the dialogue does not reach is not asked.
    """
    numbers: dict[str, int | None] = {turn.name: n for n, turn in enumerate(task.turns)}
    numbers[DIALOGUE] = None
    language = language_of(spec)
    says = PHRASES[language]
    told = _told(dialogue.system or spec.system, says)
    fixed = _instructions(language, task.assign.level == "step") + told + _tools(spec.tools, says)
    blocks = [(piece, _block(piece)) for piece in pieces]
    for scope, item in asked:
        turn = numbers[scope]
        if turn is not None and turn >= len(dialogue.turns):
            continue
        last = turn if spec.judge.view == "turn" else None
        shown = size_of(says.dialogue)
        names = []
        for piece, size in blocks:
            if last is not None and piece.turn > last:
                continue
            in_focus = piece.channel == item.focus and turn in (None, piece.turn)
            if in_focus:
                names.append(piece.name)
            if piece.channel != "reasoning" or in_focus:
                shown += size
        if item.focus == "reasoning" and names:
            shown += size_of(says.more)
        criterion = _criterion(item, row, turn, names, says)
        yield Prompt(f"{scope}.{item.name}", fixed, shown, criterion)


def size_of(text: str) -> Size:
    return Size(len(text), 0 if text.isascii() else len(HAN.findall(text)))


def _block(piece: Segment) -> Size:
    return size_of(piece.text) + Size(len(f"[{piece.name}]\n{FENCE}\n\n{FENCE}\n"))


def _told(system: str, says: Phrases) -> Size:
    text = system.strip()
    return size_of(f"{says.told}{FENCE}\n{text}\n{FENCE}\n\n") if text else Size()


@cache
def _instructions(language: prompts.Language, dated: bool) -> Size:
    text = prompts.files()[prompts.template("system", language)].strip()
    return size_of(DATED.sub(r"\1" if dated else "", text))


def _tools(tools: Sequence[ir.Tool], says: Phrases) -> Size:
    if not tools:
        return size_of(says.tools + says.no_tools)
    lines = "".join(f"{signature(tool)}\n" for tool in tools)
    return size_of(f"{says.tools}{FENCE}\n{lines}{FENCE}\n")


def _criterion(
    item: ir.Item, row: ir.Row | None, turn: int | None, names: Sequence[str], says: Phrases
) -> Size:
    form = says.of_dialogue if turn is None else says.of_turn
    where = says.where.format(names=says.joint.join(names) or says.nowhere)
    text = says.criterion + form.format(turn=turn, focus=says.focus[item.focus]) + where
    text += f"{_filled(item.ask or (), row)}\n{says.kinds.get(item.kind, '')}"
    for title, examples in ((says.passes, item.passes), (says.fails, item.fails)):
        if examples:
            text += title + "".join(f"- {_filled(one, row)}\n" for one in examples)
    return size_of(text + says.end)


def _filled(text: ir.Text, row: ir.Row | None) -> str:
    """A text with the row's values marked as data."""
    pieces = (
        part if isinstance(part, str) else f"<<{' '.join(ir.fill((part,), row).split())}>>"
        for part in text
    )
    return "".join(pieces).strip()
