"""ShareGPT dialogues as a spec to fill in (chatlog.py says what it holds).

IN has a dialogue a line, or one JSON list of them; formats/sharegpt.py says how calls are written.
Tools are the schemas in `tools`, which is JSON text or a list; or those that the system prompt has
between `<tools>` tags, as Hermes's prompts do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cm2.formats import sharegpt
from cm2.formats.source import Found
from cm2.importers.chatlog import read_log
from cm2.importers.chattools import Schema, tool_schema
from cm2.importers.options import Options
from cm2.trajectory import Trajectory
from cm2dsl.draft.spec import Spec
from cm2dsl.jsonl import JsonError, parse

HELP = "ShareGPT dialogues (JSON Lines, or one JSON list), to fill in a checklist"

IN_PROMPT = re.compile(r"<tools>\s*([\[{].*?)</tools>", re.DOTALL)


def read(path: Path, options: Options) -> list[Spec]:
    """The spec of a file. Raises SourceFault, OSError."""
    spec = read_log(path, options, sharegpt.read(path), _tools, ("tools",))
    if IN_PROMPT.search(spec.system):
        spec.unsaid.append(
            "The system prompt lists the tools between `<tools>` tags, and the tools file has them "
            f"too; take them out of `{spec.domain}.system.md` if the chat template adds them."
        )
    return [spec]


def _tools(beside: Found, trajectory: Trajectory) -> list[Schema]:
    found = beside.get("tools")
    if found is None or found.value == "":
        texts = IN_PROMPT.findall(trajectory.system)
        entries = [
            each for text in texts for each in _in_prompt(replace(beside, path="system"), text)
        ]
    else:
        if isinstance(found.value, str):
            try:
                found = replace(found, value=parse(found.value))
            except JsonError as error:
                raise found.fault(error.message, error.help) from None
        entries = [found] if isinstance(found.value, dict) else list(found.items())
    return [schema for entry in entries if (schema := tool_schema(entry)) is not None]


def _in_prompt(system: Found, text: str) -> Iterator[Found]:
    """The objects between two tags: one JSON list, or an object a line; nothing in plain words."""
    for piece in (text, *text.splitlines()):
        try:
            value = parse(piece)
        except JsonError:
            continue
        values = value if isinstance(value, list) else [value]
        yield from (replace(system, value=each) for each in values if isinstance(each, dict))
        if piece is text:
            return
