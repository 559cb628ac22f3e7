"""Chat logs in OpenAI's format: `{"messages": […]}` a line, or one JSON list of such objects.

docs/trajectories.md says what a message may hold. `task` may name the spec's task and need not; a
file that is one object alone is read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cm2.formats.record import Record, Reject
from cm2.formats.source import Found
from cm2.formats.streaming import chat_dialogue, records

HELP = "chat logs in OpenAI's format, a dialogue a line or in one list"


def read(path: Path) -> Iterator[Record | Reject]:
    """The dialogues of a file. Raises SourceFault where it holds none, and OSError."""
    return records(path, _record)


def _record(found: Found, number: int) -> Record:
    return Record(chat_dialogue(found, number), line=found.line)
