"""What a format's reader yields: a dialogue with its official result, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cm2.formats.criteria import Criteria
from cm2.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Official:
    """What the source itself says of a dialogue.

    `reward` is 0 to 1. `items` are verdicts by the name that the importer gives the item (task
    scope), `criteria` what the verdict was made of, where the file says it. `of_task` is false
    where the file shows that the dialogue was judged by another task than the one it names.
    """

    reward: float
    items: Mapping[str, bool] = field(default_factory=dict)
    criteria: Criteria | None = None
    of_task: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """A dialogue; `line` is where it begins in a file that has one a line, else None."""

    trajectory: Trajectory
    official: Official | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A dialogue that could not be read, or a `whole` file: where, why, and what to do."""

    file: str
    line: int | None
    path: str
    reason: str
    help: str
    whole: bool = False
