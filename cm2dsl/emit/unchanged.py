"""Whether a bundle on disk still is what the compiler wrote, without reading all of it.

A bundle is taken to be unchanged if its folder holds the same files with the same sizes and the
same times of change, to the nanosecond, and its manifest has the same content. So what an editor,
a script or a checkout did to it is seen, a file too many or too few as well, and the bundle is
written anew. What is not seen is a file that was changed to one of equal size and given its old
time on purpose: that bundle is left as it is, and the runtime, which verifies every hash before it
uses anything, refuses it by the file's name.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from cm2dsl.emit import MANIFEST

Mark = tuple[int, int]
"""A file's size, and when it was changed, in nanoseconds."""


class Written(Struct, frozen=True, forbid_unknown_fields=True):
    """What was written for a spec; `files` is None for a library, which makes no bundle."""

    files: dict[str, Mark] | None
    manifest: str = ""


def written(folder: Path) -> Written:
    """What is in the folder of a bundle that was just written. Raises OSError."""
    manifest = sha256((folder / MANIFEST).read_bytes()).hexdigest()
    return Written(_marks(os.fspath(folder), ""), manifest)


def is_unchanged(folder: Path, known: Written) -> bool:
    """Whether the folder holds what was written, or nothing had to be."""
    if known.files is None:
        return True
    try:
        return written(folder) == known
    except OSError:
        return False


def _marks(folder: str, below: str) -> dict[str, Mark]:
    found: dict[str, Mark] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":  # left by those who import reward.py
                    found |= _marks(entry.path, f"{below}{entry.name}/")
                continue
            stat = entry.stat(follow_symlinks=False)
            found[below + entry.name] = (stat.st_size, stat.st_mtime_ns)
    return found
