"""Which compiler this is: its version, and a hash over all that it is made of."""

# pathlib takes longer than the hash itself.
# ruff: noqa: PTH120, PTH123

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256

__version__ = "0.1.0"

MADE_OF = (".py", ".jinja", ".json")
"""What the names of the compiler's own files end in."""


@cache
def own_hash() -> str:
    """SHA-256 over the compiler's files: their names below its folder, and what is in them."""
    here = os.path.dirname(__file__)
    digest = sha256()
    for name, path in sorted(_files(here, "")):
        with open(path, "rb", buffering=0) as file:
            content = file.read()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _files(folder: str, below: str) -> list[tuple[str, str]]:
    """Names with `/` between folders, so that the hash is the same on every machine."""
    found: list[tuple[str, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(MADE_OF):
                found.append((below + entry.name, entry.path))
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                found += _files(entry.path, f"{below}{entry.name}/")
    return found
