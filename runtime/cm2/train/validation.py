"""Validation: how good the policy is while it is trained, and when there is no more to gain.

It plays held-out rows, and the table of before and after plays others: a policy that is chosen
because it did well on some rows is better on these than it is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from cm2.train.arguments import updates_of
from cm2.train.config import Config, Validation
from cm2.train.folder import RunError, RunFolder, remove
from cm2.train.watch import Watch
from cm2dsl.reward.instance import Instance

VALIDATION = "validation.jsonl"


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


class Validator(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Validates every so many steps, keeps the best policy, and ends a run that gains no more.

    `evaluate` plays the rows after a step and sums them up; `keep`, to be set before training,
    writes the policy to a folder of the run by its name. All ranks call either together.

    The best policy so far is in `best-STEP`. The one of the newest mark stays until there is a
    newer mark: a run that goes on from it knows of no later one.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: Config,
        watch: Watch,
        evaluate: Callable[[int], dict[str, Any]],
    ) -> None:
        self._folder = folder
        self._every = config.validation.every * updates_of(config)
        self._updates = updates_of(config)
        self._watch = watch
        self._evaluate = evaluate
        self.keep: Callable[[str], None] | None = None
        self._marked: int | None = None
        self.progress = Progress(config.validation.patience)

    @property
    def best(self) -> Path | None:
        """The best policy so far."""
        step = self.progress.step
        return None if step is None else self._folder.path / _name(step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self._every or state.global_step % self._every:
            return
        step = state.global_step // self._updates
        summary = self._evaluate(step)
        if self.progress.saw(step, summary["reward"]):
            assert self.keep is not None
            self.keep(_name(step))
            self._tidy()
        summary = {"step": step, **summary, "best": self.progress.best}
        summary["best_step"] = self.progress.step
        self._folder.append(VALIDATION, [summary])
        self._watch.validated(summary)
        if self.progress.stops:
            control.should_training_stop = True
            # Whoever went on from a mark of this step would take one step more before it stops.
            control.should_save = False

    def state(self) -> dict[str, Any]:
        """What is to be remembered, as JSON."""
        self._marked = self.progress.step
        return self.progress.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.progress.restore(state)
        self._marked = self.progress.step
        self._tidy()

    def _tidy(self) -> None:
        keep_best(self._folder, {self.progress.step, self._marked})


def keep_best(folder: RunFolder, steps: Collection[int | None]) -> None:
    """Remove the best policies of other steps."""
    kept = {_name(step) for step in steps}
    for path in folder.path.glob(_name("*")) if folder.writes else ():
        if path.name not in kept:
            remove(path)


def _name(step: object) -> str:
    return f"best-{step}"
