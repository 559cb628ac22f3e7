"""Recorded dialogues: what `replay` gives again, and a cold start learns from."""

from __future__ import annotations

from cm2.bundle import Bundle
from cm2.chat import read
from cm2.trajectory import Trajectory


def read_recordings(bundle: Bundle) -> list[Trajectory]:
    """Every recorded dialogue that the spec's tasks refer to. Raises ChatError."""
    files = sorted({task.reference for task in bundle.spec.tasks if task.reference})
    return [recording for file in files for recording in read(bundle.files / file)]
