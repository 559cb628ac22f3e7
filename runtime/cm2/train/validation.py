"""Validation: how good the policy is while it is trained, and when there is no more to gain.

It plays held-out rows, and the table of before and after plays others: a policy that is chosen
because it did well on some rows is better on these than it is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cm2.train.config import Validation
from cm2.train.folder import RunError
from cm2dsl.reward.instance import Instance


def divided(
    heldout: Sequence[Instance], validation: Validation
) -> tuple[list[Instance], list[Instance]]:
    """The held-out rows that validation plays, and those that the report plays.

    Of each task `share` of the rows, at least one, go to validation; a task with one row alone
    leaves it to the report. Which ones follows from their ids: other rows change nothing about
    them. Without validation the report has all. Raises RunError where validation is left with none.
    """
    if not validation.every:
        return [], list(heldout)
    by_task: dict[str, list[str]] = defaultdict(list)
    for one in heldout:
        by_task[one.task.name].append(one.id)
    chosen: set[str] = set()
    for ids in by_task.values():
        count = min(max(1, round(validation.share * len(ids))), len(ids) - 1)
        chosen.update(sorted(ids, key=_place)[:count])
    if not chosen:
        raise RunError(
            "validation plays held-out rows of its own, and no task of the spec holds out two; "
            "hold out more rows, or set validation.every to 0"
        )
    return (
        [one for one in heldout if one.id in chosen],
        [one for one in heldout if one.id not in chosen],
    )


def _place(row: str) -> str:
    return hashlib.sha256(row.encode()).hexdigest()


@dataclass(slots=True)
class Progress:
    """What validations showed so far.

    `best` is the highest mean reward and `step` when it was seen, None before the first;
    `without` counts the validations since.
    """

    patience: int
    best: float | None = None
    step: int | None = None
    without: int = 0

    def saw(self, step: int, reward: float | None) -> bool:
        """A validation after a step; whether it is the best so far.

        A reward of None says nothing: all its rollouts were masked.
        """
        if reward is None:
            return False
        if self.best is None or reward > self.best:
            self.best, self.step, self.without = reward, step, 0
            return True
        self.without += 1
        return False

    @property
    def stops(self) -> bool:
        """Whether the policy has had its time to get better."""
        return bool(self.patience) and self.without >= self.patience

    def state(self) -> dict[str, Any]:
        """What is to be remembered, as JSON."""
        return asdict(self)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.best, self.step, self.without = state["best"], state["step"], state["without"]
