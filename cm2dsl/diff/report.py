"""What `cm2c diff` has found, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from cm2dsl.diff.verdicts import Finding, Level
from cm2dsl.diff.witness import Witness

LEVELS: tuple[Level, ...] = ("trajectory", "turn", "step")


class Impact(IntEnum):
    """How far a change reaches."""

    NONE = 0
    TEXT = 1
    JUDGE = 2
    REWARD = 3


Standing = Literal["same", "differs", "may differ", "unknown"]

Heading = Literal["reward", "judge", "dialogues", "text"]


@dataclass(frozen=True, slots=True)
class Note:
    """A change in words. `place` is an item (`turn.item`), a turn, or nothing for the whole.

    `heading`: what it bears on. `dialogues` are what the agent is asked and answered with: they
    change what a policy does, not what a dialogue earns.
    """

    heading: Heading
    place: str
    text: str
    impact: Impact


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one level of a task's credit.

    `may differ`: it differs if the verdicts of changed checks do. `rows` are those that it is so
    for; `own` is whether the task is credited so, in either version. `witness` has both versions'
    halves of the counterexample.
    """

    level: Level
    verdict: Standing
    own: bool
    rows: tuple[str, ...]
    finding: Finding
    witness: tuple[Witness, Witness] | None = None


@dataclass(frozen=True, slots=True)
class TaskDiff:
    """A task in both versions; None where it is not there."""

    before: str | None
    after: str | None
    impact: Impact
    notes: tuple[Note, ...]
    proofs: tuple[Proof, ...] = ()
    rows: int = 0

    @property
    def name(self) -> str:
        if self.before is None or self.after is None or self.before == self.after:
            return self.after or self.before or ""
        return f"{self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class SpecDiff:
    """A file in both versions. `file` is its name below A and B."""

    file: str
    impact: Impact
    notes: tuple[Note, ...]
    tasks: tuple[TaskDiff, ...] = ()
    same: int = 0


@dataclass(frozen=True, slots=True)
class Diff:
    before: str
    after: str
    specs: tuple[SpecDiff, ...] = field(default=())

    @property
    def impact(self) -> Impact:
        return max((spec.impact for spec in self.specs), default=Impact.NONE)
