"""What judging costs: calls, tokens and seconds, by item and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cm2.judge.engine import Answer, Failed


@dataclass(slots=True)
class Cost:
    """Sums over answers.

    `calls` went to the engine; `hits` were in the cache instead; `retries` are calls after the
    first for one answer. Tokens are those that the engine counted: where it counts none they stay
    0, and `uncounted` says for how many calls. `troubles` counts calls without an answer by cause.
    """

    calls: int = 0
    hits: int = 0
    retries: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0
    uncounted: int = 0
    seconds: float = 0.0
    troubles: Counter[str] = field(default_factory=Counter)

    def add(self, other: Cost) -> None:
        self.calls += other.calls
        self.hits += other.hits
        self.retries += other.retries
        self.prompt += other.prompt
        self.cached += other.cached
        self.output += other.output
        self.uncounted += other.uncounted
        self.seconds += other.seconds
        self.troubles.update(other.troubles)

    def since(self, before: Cost) -> Cost:
        """What came on top of an earlier state of the same sums."""
        return Cost(
            calls=self.calls - before.calls,
            hits=self.hits - before.hits,
            retries=self.retries - before.retries,
            prompt=self.prompt - before.prompt,
            cached=self.cached - before.cached,
            output=self.output - before.output,
            uncounted=self.uncounted - before.uncounted,
            seconds=self.seconds - before.seconds,
            troubles=self.troubles - before.troubles,
        )

    def to_json(self) -> dict[str, Any]:
        """The sums by name."""
        return {
            **{name: getattr(self, name) for name in _SUMS},
            "seconds": round(self.seconds, 3),
            "troubles": dict(sorted(self.troubles.items())),
        }

    @classmethod
    def from_json(cls, sums: Mapping[str, Any]) -> Cost:
        """What `to_json` wrote."""
        return cls(**{**sums, "troubles": Counter(sums["troubles"])})


_SUMS = ("calls", "hits", "retries", "prompt", "cached", "output", "uncounted")


@dataclass(slots=True)
class Ledger:
    """The cost of every item, by full name (`task: turn.item`)."""

    items: dict[str, Cost] = field(default_factory=dict)

    def called(self, item: str, answer: Answer, *, retry: bool) -> None:
        """A call to the engine for this item, and what came of it."""
        cost = self.items.setdefault(item, Cost())
        usage = answer.usage
        cost.calls += 1
        cost.retries += retry
        cost.prompt += usage.prompt or 0
        cost.cached += usage.cached or 0
        cost.output += usage.output or 0
        cost.uncounted += usage.prompt is None
        cost.seconds += usage.seconds
        if isinstance(answer, Failed):
            cost.troubles[answer.trouble] += 1

    def hit(self, item: str) -> None:
        """An answer out of the cache."""
        self.items.setdefault(item, Cost()).hits += 1

    @property
    def total(self) -> Cost:
        whole = Cost()
        for cost in self.items.values():
            whole.add(cost)
        return whole
