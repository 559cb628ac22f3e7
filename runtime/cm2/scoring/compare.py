"""One scored dialogue against the official result: what agrees is counted, the rest is listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cm2.formats.criteria import baselines
from cm2.formats.record import Official
from cm2.scoring.tally import Tally, cell
from cm2.scoring.verdicts import evidence_of, verdict_of
from cm2.trajectory import Trajectory
from cm2dsl import ir
from cm2dsl.fields import shown
from cm2dsl.ir import DIALOGUE
from cm2dsl.reward.card import Outcome, Scored

SUCCESS = 1 - 1e-9
"""The official reward from which on a dialogue counts as a success."""


class OfficialFault(Exception):  # noqa: N818 - a fault of what is read
    """An `official` that says nothing. `path` is where, `help` what was expected."""

    def __init__(self, path: str, value: Any, expected: str) -> None:
        self.path = path
        self.message = f"found {shown(value)}"
        self.help = f"expected {expected}; correct it, or leave it out"
        super().__init__(f"`{path}`: {self.message}; {self.help}")


def official_of(trajectory: Trajectory) -> Official | None:
    """The result that a chat line may carry: `"official": {"reward": 1, "items": {"name": true}}`.

    Raises OfficialFault.
    """
    said = trajectory.extra.get("official")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise OfficialFault("official", said, "{reward: 0 to 1, items: {name: true or false}}")
    reward, items = said.get("reward"), said.get("items")
    if isinstance(reward, bool) or not isinstance(reward, int | float) or not 0 <= reward <= 1:
        raise OfficialFault("official.reward", reward, "a number from 0 to 1")
    if not isinstance(items, dict | None):
        raise OfficialFault("official.items", items, "{name: true or false}")
    for name, value in (items or {}).items():
        if not isinstance(value, bool):
            raise OfficialFault(f"official.items.{name}", value, "true or false")
    return Official(reward, items or {})


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison needs: ours is a success from a reward of `threshold` on."""

    threshold: float
    effects: Mapping[str, ir.Effect | None]

    def __call__(
        self, file: str, scored: Scored, trajectory: Trajectory, official: Official, tally: Tally
    ) -> bytes | None:
        """Count it; a line of JSON where there is disagreement, on the reward or on an item.

        A reward that is of another task than the dialogue's is not compared; verdicts on criteria
        that the two tasks share are.
        """
        wrong = _items(scored, official, tally)
        if official.of_task:
            agrees = self._reward(file, scored, trajectory, official, tally)
        else:
            agrees = True
            tally.elsewhere[scored.plan.instance.id] = None
        if agrees and not wrong:
            return None
        record = {
            "file": file,
            "id": trajectory.id,
            "task": scored.plan.instance.id,
            "reward": scored.reward,
            "official": official.reward,
            "items": {name: verdict_of(outcome) for name, outcome in scored.outcomes.items()},
            "other_items": wrong,
            "evidence": evidence_of(scored),
        }
        return msgspec.json.encode(record) + b"\n"

    def _reward(
        self, file: str, scored: Scored, trajectory: Trajectory, official: Official, tally: Tally
    ) -> bool:
        """Count the reward and the baselines; whether the reward agrees."""
        assert scored.reward is not None
        ours, theirs = scored.reward >= self.threshold, official.reward >= SUCCESS
        groups = tally.by_file.setdefault(file, {})
        _mark(groups, "reward", ours, theirs)
        if official.criteria is not None:
            others = baselines(trajectory, official.criteria, self.effects)
            for name, said in others.items():
                _mark(groups, name, said, theirs)
        _mark(tally.by_task, scored.plan.instance.task.name, ours, theirs)
        return ours == theirs


def _items(scored: Scored, official: Official, tally: Tally) -> list[str]:
    """The full names of the items on which there is disagreement.

    An item is named as the spec does (`turn.item`), or, where it is of task scope, by its own name.
    A name that no item has is kept for the report, unless it is one that a benchmark gives, which
    only an import with its diagnostic items has.
    """
    wrong: list[str] = []
    task = scored.plan.instance.task.name
    for name, said in official.items.items():
        full = name if name in scored.outcomes else f"{DIALOGUE}.{name}"
        outcome: Outcome | None = scored.outcomes.get(full)
        if outcome is None:
            if official.criteria is None and not {name, full} & set(scored.plan.unjudged):
                tally.unknown[f"{task}.{name}"] = None
            continue
        passed = verdict_of(outcome) == "pass"
        _mark(tally.by_item, f"{task}.{name}", passed, said)
        if passed != said:
            wrong.append(full)
    return wrong


def _mark(table: dict[str, list[int]], name: str, ours: bool, official: bool) -> None:
    table.setdefault(name, [0, 0, 0, 0])[cell(ours, official)] += 1
