"""What a user may say about an import, beside the source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """`name` is the spec's domain; by default the importer makes it from the source's file name.

    `tools` and `system` are files for sources that hold no tool schemas or system prompt of their
    own. `diagnostics` adds items of weight 0 that repeat the official criteria one by one.
    """

    name: str = ""
    tools: Path | None = None
    system: Path | None = None
    diagnostics: bool = False
