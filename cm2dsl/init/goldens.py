"""Tests of a task that was drafted from a dialogue, with the dialogues that they take.

The dialogue as it is: every item holds, and it is worth 1. Without the call that matters most (or
without an answer, where nothing is called): it is worth less. With a change made twice: it is worth
less too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cm2dsl.chat import to_chat
from cm2dsl.draft.spec import Test, Turn
from cm2dsl.init.criteria import Criteria
from cm2dsl.trajectory import Step, Trajectory


@dataclass(frozen=True, slots=True)
class Golden:
    """A test, and its dialogue as a line of chat JSONL."""

    test: Test
    line: str


def goldens(
    recording: Trajectory,
    turns: Sequence[Turn],
    found: Sequence[Criteria],
    file: str,
    fixtures: str,
) -> Iterator[Golden]:
    """The tests of a task. `found` are the criteria of its turns, `file` is for the dialogue."""
    yield _recorded(recording, turns, found, file)
    number = _telling(found)
    stem = f"{fixtures}/{recording.task}"
    yield _incomplete(recording, turns, found, number, f"{stem}_incomplete.jsonl")
    once = found[number].once
    if once is not None:
        yield _twice(recording, turns, found, number, once, f"{stem}_twice.jsonl")


def _telling(found: Sequence[Criteria]) -> int:
    """The turn in which something will be wrong: the last that changes or calls something."""
    guarded = [number for number, one in enumerate(found) if one.once]
    calling = [number for number, one in enumerate(found) if one.target is not None]
    return (guarded or calling or [number for number, one in enumerate(found) if one.items])[-1]


def _golden(recording: Trajectory, test: Test) -> Golden:
    return Golden(test, json.dumps(to_chat(recording), ensure_ascii=False) + "\n")


def _judged(
    turns: Sequence[Turn], found: Sequence[Criteria], failing: int | None
) -> tuple[tuple[str, str], ...]:
    """What a judge is taken to say: it passes everything but a turn that fails."""
    return tuple(
        (f"{turn.name}.{item}", "fail" if place == failing else "pass")
        for place, (turn, one) in enumerate(zip(turns, found, strict=True))
        for item in one.judged
    )


def _recorded(
    recording: Trajectory, turns: Sequence[Turn], found: Sequence[Criteria], file: str
) -> Golden:
    expect = tuple(
        (f"{turn.name}.{item}", "pass")
        for turn, one in zip(turns, found, strict=True)
        for item in one.checked
    )
    name = f"{recording.task}: as it is recorded"
    judged = _judged(turns, found, None)
    return _golden(recording, Test(name, recording.task, file, judged, expect, "== 1.0"))


def _incomplete(
    recording: Trajectory,
    turns: Sequence[Turn],
    found: Sequence[Criteria],
    number: int,
    file: str,
) -> Golden:
    turn, one = turns[number], found[number]
    if one.target is None:
        what = "an answer"
        steps: tuple[Step, ...] = ()
        failed = one.checked
    else:
        item, tool = one.target
        what = f"calling {' '.join(tool.split())}"
        steps = tuple(_without(recording.turns[number].steps, tool))
        failed = (item,)
    name = f"{recording.task}: without {what}"
    expect = tuple((f"{turn.name}.{item}", "fail") for item in failed)
    test = Test(name, recording.task, file, _judged(turns, found, number), expect, "< 1.0")
    return _golden(_changed(recording, number, steps, "incomplete"), test)


def _without(steps: Sequence[Step], tool: str) -> Iterator[Step]:
    """The steps without the calls of a tool; one that has nothing else is left out."""
    for step in steps:
        calls = tuple(call for call in step.calls if call.tool != tool)
        if calls or step.reply or step.malformed is not None or len(calls) == len(step.calls):
            yield replace(step, calls=calls)


def _twice(
    recording: Trajectory,
    turns: Sequence[Turn],
    found: Sequence[Criteria],
    number: int,
    once: tuple[str, str],
    file: str,
) -> Golden:
    tool, guard = once
    steps: list[Step] = []
    for step in recording.turns[number].steps:
        steps.append(step)
        again = [call for call in step.calls if call.tool == tool and call.result is not None]
        if again:
            calls = tuple(replace(call, id=f"{call.id}_again" if call.id else "") for call in again)
            steps.append(Step(calls=calls))
    name = f"{recording.task}: calling {' '.join(tool.split())} twice"
    expect = ((f"{turns[number].name}.{guard}", "fail"),)
    test = Test(name, recording.task, file, _judged(turns, found, None), expect, "< 1.0")
    return _golden(_changed(recording, number, tuple(steps), "twice"), test)


def _changed(recording: Trajectory, number: int, steps: tuple[Step, ...], what: str) -> Trajectory:
    """The dialogue with other steps in one of its turns."""
    turns = list(recording.turns)
    turns[number] = replace(turns[number], steps=steps)
    return replace(recording, id=f"{recording.id}-{what}", turns=tuple(turns))
