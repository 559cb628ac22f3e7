"""Our own chat JSON Lines (docs/trajectories.md): a dialogue a line, each naming its task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cm2.formats.record import Record, Reject
from cm2.formats.source import Found
from cm2.formats.streaming import chat_dialogue, records

HELP = "our own chat JSON Lines, where each dialogue names its task"


def read(path: Path) -> Iterator[Record | Reject]:
    """The dialogues of a file. Raises SourceFault where it holds none, and OSError."""
    return records(path, _record)


def _record(found: Found, number: int) -> Record:
    trajectory = chat_dialogue(found, number)
    if not trajectory.task:
        help = 'add `"task": "name"`, or read the file in the format `openai`, which needs none'
        raise found.fault("the dialogue names no task", help)
    return Record(trajectory, line=found.line)
