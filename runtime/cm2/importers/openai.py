"""Chat logs in OpenAI's format as a spec to fill in (chatlog.py says what it holds).

IN has a dialogue a line, `{"messages": […], "tools": […]}`, or one JSON list of them. `tools` and
the older `functions` are function schemas.
"""

from __future__ import annotations

from pathlib import Path

from cm2.formats import openai
from cm2.formats.source import Found
from cm2.importers.chatlog import read_log
from cm2.importers.chattools import Schema, tool_schema
from cm2.importers.options import Options
from cm2.trajectory import Trajectory
from cm2dsl.draft.spec import Spec

HELP = "chat logs in OpenAI's format (JSON Lines, or one JSON list), to fill in a checklist"

TOOL_KEYS = ("tools", "functions")


def read(path: Path, options: Options) -> list[Spec]:
    """The spec of a log. Raises SourceFault, OSError."""
    return [read_log(path, options, openai.read(path), _tools, TOOL_KEYS)]


def _tools(beside: Found, trajectory: Trajectory) -> list[Schema]:
    lists = [found for key in TOOL_KEYS if (found := beside.get(key)) is not None]
    entries = [entry for found in lists for entry in found.items()]
    return [schema for entry in entries if (schema := tool_schema(entry)) is not None]
