"""Recorded dialogues: what `replay` gives again, and a cold start learns from.

A rollout is recorded as any dialogue (docs/trajectories.md), under its own id and the id of its
task or row, with who answered each call and why under `answers`. What is read back is replayed as
it was played: `Simulator.world(task, row, rollout)` with the id of the rollout.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from cm2.bundle import Bundle
from cm2.chat import read, to_chat
from cm2.simulate.backend import Answer
from cm2.simulate.recorded import ANSWERS, recorded_calls
from cm2.trajectory import Trajectory
from cm2dsl.write import write_beside


class RecordingError(Exception):
    """A file of recordings that has nothing to do with the spec."""


def read_recordings(bundle: Bundle, more: Iterable[Path] = ()) -> list[Trajectory]:
    """Every recorded dialogue that the spec's tasks refer to, and those of the files `more`.

    They come in this order: where recordings of a task disagree, the earlier one holds. Raises
    ChatError for a line that is no dialogue, RecordingError where no dialogue of a file in `more`
    is of a task of the spec, and OSError.
    """
    files = sorted({task.reference for task in bundle.spec.tasks if task.reference})
    found = [recording for file in files for recording in read(bundle.files / file)]
    return found + [recording for path in more for recording in _read_other(bundle, path)]


def with_answers(trajectory: Trajectory, answers: Mapping[str, Answer]) -> Trajectory:
    """The dialogue with who answered its calls, and why, in `extra["answers"]`.

    `answers` are by the ids of the calls, which must differ within the dialogue (as they do in a
    rollout: `Rollout.answers`). They are kept by the names of the calls, such as
    `t0.s1.tool_call`, as `{"source": …, "why": …}`. Readers that do not know the key ignore it;
    `replay` learns from it which results a backend gave.
    """
    told = {
        recorded.name: _told(answers[recorded.call.id])
        for recorded in recorded_calls(trajectory)
        if recorded.call.id in answers
    }
    return replace(trajectory, extra={**trajectory.extra, ANSWERS: told}) if told else trajectory


def recording_line(trajectory: Trajectory) -> str:
    """The dialogue as a line of JSON, without its end; `cm2.chat.read` reads it back equal.

    Raises ValueError where calls of one step share an id.
    """
    return json.dumps(to_chat(trajectory), ensure_ascii=False)


def write_recordings(path: Path, trajectories: Iterable[Trajectory]) -> None:
    """Write the dialogues as a JSON Lines file, whole or not at all.

    Raises Unwritten where the file cannot be written, and ValueError as `recording_line` does.
    """
    write_beside(path, "".join(f"{recording_line(each)}\n" for each in trajectories))


def _read_other(bundle: Bundle, path: Path) -> list[Trajectory]:
    found = list(read(path))
    if found and not any(recording.task in bundle.by_id for recording in found):
        said = f"`{found[0].task}`" if found[0].task else "no task"
        tasks = ", ".join(f"`{task.name}`" for task in bundle.spec.tasks[:8])
        raise RecordingError(
            f"{path}: none of these dialogues is of a task of the spec: the first names {said}, "
            f"and the spec has {tasks}"
        )
    return found


def _told(answer: Answer) -> dict[str, str]:
    why = {"why": answer.why} if answer.why else {}
    return {"source": answer.source, **why}
