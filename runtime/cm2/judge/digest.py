"""A name for what is judged: the item as it was asked, and the dialogue as it could be seen."""

from __future__ import annotations

import hashlib
import json

from cm2.judge.view import Question
from cm2.trajectory import segments
from cm2dsl import ir


def digest(question: Question) -> str:
    """32 hexadecimal digits that are the same where the same is asked about the same dialogue.

    Which item asks counts by what it says, and not by its name; nor do the names of the dialogue
    and of its task count.
    """
    item, row = question.item, question.row
    trajectory = question.trajectory
    said = [ir.fill(text, row) for text in (item.ask or (), *item.passes, *item.fails)]
    parts = [
        said,
        [len(item.passes), item.kind, item.focus, question.turn],
        trajectory.system or question.spec.system,
        [[segment.name, segment.text] for segment in segments(trajectory)],
        [len(turn.steps) for turn in trajectory.turns],
    ]
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def steps_of(question: Question) -> int:
    """The steps of the item's scope."""
    turns = question.trajectory.turns
    scope = turns if question.turn is None else (turns[question.turn],)
    return sum(len(turn.steps) for turn in scope)
