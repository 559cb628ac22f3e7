"""What each policy earns in each task, and for which items.

Every dialogue is scored by the spec's own compiled checks and its own `assign`, as a rollout is.
An item that asks a judge counts in three ways: it is left out, as scoring without a judge leaves it
out; the judge fails it; the judge passes it. The floor is the most that is earned in the first two:
nobody has to be convinced of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from cm2dsl import ir
from cm2dsl.emit.reward import emit_reward
from cm2dsl.floor.policies import POLICIES, Policy
from cm2dsl.floor.scenes import Desk, scenes
from cm2dsl.floor.scoring import Plans, paid
from cm2dsl.reward.card import Scored
from cm2dsl.reward.instance import Check, load_checks
from cm2dsl.scope import facts_of
from cm2dsl.trajectory import Trajectory

ROWS = 3
"""Rows of a task that are tried where there is little time: the first, one between, the last."""


class Earned(Struct, frozen=True):
    """What a policy earns in a task: the most over its dialogues and the rows that were tried.

    `unjudged` is its reward without a judge, `failed` and `passed` with one that fails or passes
    all that it is asked; None where nothing can be said (`passed` also where it was not asked for).
    `instance` is where the floor was earned, and `items` are the full names of what paid for it.
    """

    policy: Policy
    unjudged: float | None
    failed: float | None
    passed: float | None
    instance: str
    items: tuple[str, ...]

    @property
    def floor(self) -> float:
        """What it earns without convincing a judge."""
        return max(self.unjudged or 0.0, self.failed or 0.0)


class Floor(Struct, frozen=True):
    """A task's floor: what each policy earns, over `tried` of its `rows` (1 where it has none).

    `paying` has the items, by full name, that some inactive policy is paid for, with all policies
    that are.
    """

    task: ir.Task
    tried: int
    rows: int
    earned: tuple[Earned, ...]
    paying: Mapping[str, Sequence[Policy]]

    def of(self, inactive: bool) -> list[Earned]:
        """What the inactive policies earn, or the blind ones."""
        return [one for one in self.earned if one.policy.inactive == inactive]

    @property
    def inaction(self) -> float:
        """The most that an inactive policy earns: the task's reward floor."""
        return max(one.floor for one in self.of(inactive=True))


def floors(
    spec: ir.Spec,
    recordings: Mapping[str, Sequence[Trajectory]],
    *,
    rows: int | None = ROWS,
    passing: bool = False,
    played: Callable[[], object] = bool,
) -> list[Floor]:
    """The floor of every task, in the spec's order.

    `recordings` are the dialogues of the files that tasks name. Of a task with more than `rows`
    rows, so many are tried, evenly spread; None is all. `passing`: also with a judge that passes.
    `played` is called after every row, and after a task without rows.
    """
    checks = load_checks(emit_reward(spec), "reward.py")
    desk = Desk.of(spec.tools)
    return [
        _floor(task, desk, recordings.get(task.reference or "", ()), checks, rows, passing, played)
        for task in spec.tasks
    ]


def _floor(
    task: ir.Task,
    desk: Desk,
    dialogues: Sequence[Trajectory],
    checks: Mapping[str, Check],
    rows: int | None,
    passing: bool,
    played: Callable[[], object],
) -> Floor:
    best = [_Best(policy) for policy in POLICIES]
    paying: dict[str, dict[Policy, None]] = {}
    plans: Plans | None = None
    tried = 0
    for instance, several in scenes(task, desk, dialogues, rows):
        tried += 1
        if plans is None:
            plans = Plans(instance, checks)
        plans.go_to(instance)
        for one in best:
            for dialogue in (each for scene in several for each in one.policy.play(scene)):
                facts = facts_of(Trajectory("", instance.id, dialogue))
                scored = plans.scored(facts)
                one.see(scored, plans.passed(facts) if passing else None)
                for name in _paid(scored) if one.policy.inactive else ():
                    paying.setdefault(name, {})[one.policy] = None
        played()
    return Floor(
        task=task,
        tried=tried,
        rows=len(task.rows) if task.rows is not None else 1,
        earned=tuple(one.earned() for one in best),
        paying={name: tuple(policies) for name, policies in paying.items()},
    )


def _paid(scored: Sequence[Scored]) -> set[str]:
    return {name for one in scored for name in paid(one)}


class _Best:
    """The most that a policy has earned so far."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.unjudged: float | None = None
        self.failed: float | None = None
        self.passed: float | None = None
        self.scored: Scored | None = None
        self.floor = 0.0

    def see(self, scored: Sequence[Scored], passed: float | None) -> None:
        self.unjudged = _more(self.unjudged, scored[0].reward)
        self.failed = _more(self.failed, scored[-1].reward)
        self.passed = _more(self.passed, passed)
        for one in scored:
            if one.reward is not None and one.reward > self.floor:
                self.scored, self.floor = one, one.reward

    def earned(self) -> Earned:
        best = self.scored
        items = tuple(paid(best)) if best is not None else ()
        where = best.instance.id if best is not None else ""
        return Earned(self.policy, self.unjudged, self.failed, self.passed, where, items)


def _more(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
