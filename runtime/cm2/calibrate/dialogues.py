"""Dialogues that are judged apart from scoring: read in any format, each with its task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cm2.bundle import Bundle
from cm2.formats.record import Reject
from cm2.scoring.origins import Origins
from cm2.scoring.units import pieces
from cm2.scoring.worker import Options, Worker
from cm2.trajectory import Trajectory


def read_dialogues(
    bundle: Bundle, inputs: Sequence[Path], form: str, task: str
) -> tuple[list[Trajectory], list[Reject]]:
    """The dialogues of some files, as `cm2 score` reads them, and what could not be read.

    `task` is that of dialogues that name none; each has its task in the end. Raises OSError.
    """
    worker = Worker(bundle, Options(task))
    found: list[Trajectory] = []
    rejects: list[Reject] = []
    for unit in pieces(inputs, form, True, Origins(bundle.spec)):
        for one in worker.dialogues(unit):
            if isinstance(one, Reject):
                rejects.append(one)
            else:
                found.append(one)
    return found, rejects
