"""Names of the language, made from any text: what a benchmark calls `7` is a task `task_7`."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

NAME = re.compile(r"[^\W\d]\w*\Z")
# What stays of an accent where no letter has it: the dot of a lower-cased `İ`.
ACCENTS = re.compile("[\u0300-\u036f]")


def is_name(text: str) -> bool:
    """Whether the text is a name as it stands, which the reader would not change."""
    return bool(NAME.match(text)) and unicodedata.normalize("NFKC", text) == text


def name_of(text: str, taken: Collection[str] = (), otherwise: str = "item") -> str:
    """A name made from any text, in lower case with `_` between words, and not in `taken`."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()
    text = ACCENTS.sub("", unicodedata.normalize("NFKC", text))
    name = re.sub(r"\W+", "_", text).strip("_")
    if not name:
        name = otherwise
    if not NAME.match(name):
        name = f"{otherwise}_{name}"
    number = 2
    free = name
    while free in taken:
        free = f"{name}_{number}"
        number += 1
    return free


def file_name(path: Path) -> str:
    """A file's name as text, in any locale; what is no UTF-8 in it is shown as such."""
    return os.fsencode(path.name).decode("utf-8", "replace")
