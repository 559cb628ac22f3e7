"""Official criteria that several benchmarks share: reference actions, and what must be said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cm2.trajectory import Call, Trajectory
from cm2dsl import ir
from cm2dsl.checks import same


@dataclass(frozen=True, slots=True)
class Action:
    """A reference action. `compare` names the arguments that count; None is all of them."""

    by_user: bool
    tool: str
    arguments: Mapping[str, Any]
    compare: tuple[str, ...] | None = None

    def matches(self, by_user: bool, call: Call) -> bool:
        """Whether a call is this action: the same caller and name, and equal arguments."""
        if (by_user, call.tool) != (self.by_user, self.tool) or call.arguments is None:
            return False
        if self.compare is None:
            return same(dict(call.arguments), dict(self.arguments))
        return same(self._compared(call.arguments), self._compared(self.arguments))

    def _compared(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {key: arguments[key] for key in arguments if key in (self.compare or ())}


@dataclass(frozen=True, slots=True)
class Criteria:
    """A task's reference actions, and the strings that the agent must say."""

    actions: tuple[Action, ...] = ()
    communicate: tuple[str, ...] = ()


def calls_of(trajectory: Trajectory) -> Iterator[tuple[bool, Call]]:
    """(made by the user, call) of every call of a dialogue, that of the opening left out."""
    for turn in trajectory.turns:
        for act in turn.acts:
            yield True, act
        for step in turn.steps:
            for call in step.calls:
                yield False, call


def baselines(
    trajectory: Trajectory, wanted: Criteria, effects: Mapping[str, ir.Effect | None]
) -> dict[str, bool]:
    """Three simple rewards to compare a checklist with, by name.

    `effects` are those of the agent's tools. What the user does counts among the writes. A string
    is said where it occurs, lower-cased and without commas, in some reply (as τ²-bench has it).
    """
    made = list(calls_of(trajectory))
    writes = [action for action in wanted.actions if _writes(action.by_user, action.tool, effects)]

    def matched(actions: tuple[Action, ...] | list[Action]) -> bool:
        return all(any(action.matches(by, call) for by, call in made) for action in actions)

    others = [
        call
        for by, call in made
        if not by
        and effects.get(call.tool) == "write"
        and not any(action.matches(by, call) for action in writes)
    ]
    said = [s.reply.lower().replace(",", "") for turn in trajectory.turns for s in turn.steps]
    told = all(any(text.lower() in reply for reply in said) for text in wanted.communicate)
    return {
        "all reference actions": matched(wanted.actions),
        "all writes": matched(writes),
        "all writes, no other, all said": matched(writes) and not others and told,
    }


def _writes(by_user: bool, tool: str, effects: Mapping[str, ir.Effect | None]) -> bool:
    return by_user or effects.get(tool) == "write"
