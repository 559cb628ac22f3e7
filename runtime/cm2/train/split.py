"""Which rows of a spec a run trains on, which validate, and which are reported on."""

from __future__ import annotations

from dataclasses import dataclass

from cm2.bundle import Bundle
from cm2.train.folder import RunError
from cm2dsl.reward.instance import Instance, instances
from cm2dsl.reward.plan import credit_task


@dataclass(frozen=True, slots=True)
class Rows:
    """What is trained on, what validates, and the other rows that are held out."""

    training: list[Instance]
    validation: list[Instance]
    heldout: list[Instance]

    @property
    def reported(self) -> list[Instance]:
        """What the table of before and after plays: where the spec holds out nothing, the rows that
        are trained on."""
        return self.heldout or self.training


def split(bundle: Bundle, judged: bool = False) -> tuple[list[Instance], list[Instance]]:
    """(training, held-out) instances of the tasks that can be rewarded.

    Those are all with an item, where there is a judge; else those where checks alone can.
    Raises RunError where there is nothing to train on.
    """
    usable = [one for one in instances(bundle.spec) if credit_task(one.task, judged)[1]]
    training = [one for one in usable if one.split == "train"]
    if not training and judged:
        raise RunError(
            f"no task of `{bundle.spec.domain}` has a training row and an item to reward"
        )
    if not training:
        raise RunError(
            f"no task of `{bundle.spec.domain}` has a training row and an item that a `check` "
            "decides; without a judge there is nothing to reward: name one with --judge"
        )
    return training, [one for one in usable if one.split == "heldout"]
