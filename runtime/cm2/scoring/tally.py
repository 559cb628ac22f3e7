"""Counts over scored dialogues, which add up: of blocks, of processes, of an interrupted run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VERDICTS = ("pass", "fail", "insufficient", "error")
Cells = list[int]
"""A 2x2 table as [neither, ours alone, official alone, both] said yes."""


@dataclass(slots=True)
class Tally:
    """`rejected` counts dialogues, `unread` files of which no dialogue could be read.

    `items` counts verdicts by `task.turn.item`, in the order of VERDICTS; `unjudged` are those
    that were left out for want of a judge. `masked` dialogues have no reward because of an error.

    With official results, `by_file` has for each file the tables of the reward and of the
    baselines, `by_task` that of the reward, and `by_item` those of single items. `unknown` are the
    items that have an official verdict and are not in the spec, `elsewhere` the tasks with a
    dialogue whose official result is of another task.
    """

    dialogues: int = 0
    rejected: int = 0
    unread: int = 0
    rewarded: int = 0
    masked: int = 0
    reward_sum: float = 0.0
    items: dict[str, list[int]] = field(default_factory=dict)
    unjudged: dict[str, None] = field(default_factory=dict)
    by_file: dict[str, dict[str, Cells]] = field(default_factory=dict)
    by_task: dict[str, Cells] = field(default_factory=dict)
    by_item: dict[str, Cells] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    elsewhere: dict[str, None] = field(default_factory=dict)

    def count(self, reward: float | None, broke: bool = False) -> None:
        """Count a dialogue; `broke` says that a verdict on it is an error."""
        self.dialogues += 1
        self.masked += broke and reward is None
        if reward is not None:
            self.rewarded += 1
            self.reward_sum += reward

    def add(self, other: Tally) -> None:
        """Take another tally's counts in."""
        self.dialogues += other.dialogues
        self.rejected += other.rejected
        self.unread += other.unread
        self.rewarded += other.rewarded
        self.masked += other.masked
        self.reward_sum += other.reward_sum
        self.unjudged |= other.unjudged
        self.unknown |= other.unknown
        self.elsewhere |= other.elsewhere
        for name, counts in other.items.items():
            _add(self.items, name, counts)
        for file, groups in other.by_file.items():
            for name, cells in groups.items():
                _add(self.by_file.setdefault(file, {}), name, cells)
        for name, cells in other.by_task.items():
            _add(self.by_task, name, cells)
        for name, cells in other.by_item.items():
            _add(self.by_item, name, cells)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON, from which `from_json` makes an equal tally."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return found | {name: list(found[name]) for name in _NAMES}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        names = {name: dict.fromkeys(value[name]) for name in _NAMES}
        return cls(**{**value, **names})


_NAMES = ("unjudged", "unknown", "elsewhere")


def cell(ours: bool, official: bool) -> int:
    """The place of one dialogue in `Cells`."""
    return ours + 2 * official


def _add(into: dict[str, list[int]], name: str, counts: Iterable[int]) -> None:
    known = into.get(name)
    into[name] = (
        list(counts) if known is None else [a + b for a, b in zip(known, counts, strict=True)]
    )
