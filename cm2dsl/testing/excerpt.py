"""The dialogue around a step, for people."""

from __future__ import annotations

from collections.abc import Collection

from cm2dsl.ir import DIALOGUE
from cm2dsl.scope import Facts
from cm2dsl.testing.columns import columns, shortened
from cm2dsl.trajectory import Segment, Trajectory, segments

AROUND = 2
"""Segments that are shown before and after."""

LONGEST = 160
"""Characters of a segment that are shown."""

MOST = 14
"""Segments that are shown where no step is looked for."""

Step = tuple[int, int]
"""A turn, and a step in it."""


def excerpt(
    dialogue: Trajectory,
    at: Step | None = None,
    marked: Collection[str] = (),
    near: Collection[str] = (),
) -> list[str]:
    """The dialogue around a step, and around the segments that are `marked` or `near`; the last
    part of it where nothing is given. A `>` stands before what is marked.
    """
    pieces = segments(dialogue)
    wanted = [
        index
        for index, piece in enumerate(pieces)
        if piece.name in (*marked, *near) or (at is not None and (piece.turn, piece.step) == at)
    ]
    shown = {near for index in wanted for near in range(index - AROUND, index + AROUND + 1)}
    if not shown:
        shown = set(range(len(pieces) - MOST, len(pieces)))
    rows: list[tuple[str, str, str]] = []
    for index, piece in enumerate(pieces):
        if index in shown:
            rows.append(_row(piece, piece.name in marked))
        elif not rows or rows[-1][1] != "…":
            rows.append(("", "…", ""))
    return columns(rows) if rows else ["the dialogue is empty"]


def _row(piece: Segment, marked: bool) -> tuple[str, str, str]:
    return ">" if marked else "", piece.name, shortened(piece.text, LONGEST)


def step_of(scope: str, turns: Collection[str], facts: Facts, step: int) -> Step:
    """The turn, and the step in it, of a step of a scope, which counts from 0 there."""
    if scope != DIALOGUE:
        return list(turns).index(scope), step
    for turn, length in enumerate(facts.lengths):
        if step < length:
            return turn, step
        step -= length
    raise ValueError("the dialogue has no such step")


def step_name(step: Step) -> str:
    return f"t{step[0]}.s{step[1]}"
