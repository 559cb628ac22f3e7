"""What is said of a code: what it finds, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cm2dsl.diagnostic import Severity


@dataclass(frozen=True)
class Code:
    """A code of the compiler, or of lint itself, and an example in which it is found.

    `title` ends the sentence "Finds …". `example` is a snippet as those of lint's rules are: a
    whole spec, statements, or the items of a turn. `files` lie beside it, in `encoding`.
    """

    code: str
    title: str
    why: str
    do: str
    example: str
    files: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    severity: Severity = "error"
