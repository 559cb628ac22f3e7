"""Which source a file or a folder looks like, to help those who named another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cm2.formats.source import SourceFault, read_text
from cm2dsl.jsonl import JsonError, parse

MOST = 64 << 20
"""Bytes of a file that is looked at; a larger one is not worth the time of a hint."""

TRIED = 40
"""Files of a folder that are looked at."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a path looks like: the source that reads it, what that is, and the path to name."""

    source: str
    what: str
    path: Path


# The members that tell a format from the others, of an object or of the first of many.
MEMBERS = (
    ("tau2", "a τ²-bench run", {"tasks", "simulations"}),
    ("tau2", "tasks of τ²-bench", {"user_scenario", "evaluation_criteria"}),
    ("tau1", "results of τ-bench", {"task_id", "traj"}),
    ("bfcl", "questions of BFCL", {"question", "involved_classes"}),
    ("tooltalk", "a conversation of ToolTalk", {"conversation"}),
    ("cm2-json", "dialogues annotated as in the CM2 paper", {"messages", "checklists"}),
    ("cm2-json", "dialogues annotated as in the CM2 paper", {"messages", "checklist"}),
    ("openai", "chat logs in OpenAI's format", {"messages"}),
    ("sharegpt", "ShareGPT dialogues", {"conversations"}),
)


def shape_of(path: Path) -> Shape | None:
    """What a file or a folder looks like; None where that cannot be told."""
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except (OSError, SourceFault, RecursionError):
        return None


def has_value_a_line(path: Path) -> bool:
    """Whether a file is JSON Lines, of more than one line."""
    try:
        text = _text(path)
        first = list(islice(_filled(text), 2))
        return len(first) == 2 and not _is_json(text) and all(map(_is_json, first))
    except (OSError, SourceFault, RecursionError):
        return False


def _of_folder(folder: Path) -> Shape | None:
    if any(folder.glob("BFCL_*multi_turn_*.json")):
        return Shape("bfcl", "BFCL's data folder", folder)
    if (folder / "tasks.json").is_file():
        return Shape("tau2", "a domain folder of τ²-bench", folder)
    files = (path for path in sorted(folder.rglob("*.json*")) if path.is_file())
    for path in islice(files, TRIED):
        found = shape_of(path)
        if found is not None and found.source == "tooltalk":
            return Shape("tooltalk", "a folder of ToolTalk's conversations", folder)
        if found is not None:
            return found
    return None


def _of_file(path: Path) -> Shape | None:
    text = _text(path)
    try:
        value = parse(text)
    except JsonError:
        first = next(_filled(text), "")
        value = parse(first) if _is_json(first) else None
    if isinstance(value, list):
        value = value[0] if value else None
    return _of_value(value, path) if isinstance(value, dict) else None


def _of_value(value: dict[str, Any], path: Path) -> Shape | None:
    for source, what, members in MEMBERS:
        if members <= value.keys():
            return Shape(source, what, path)
    return None


def _text(path: Path) -> str:
    return read_text(path) if path.stat().st_size <= MOST else ""


def _filled(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.strip())


def _is_json(text: str) -> bool:
    try:
        parse(text)
    except JsonError:
        return False
    return True
