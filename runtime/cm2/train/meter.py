"""What the models around the policy cost, phase by phase, in all processes of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cm2.judge.ledger import Cost
from cm2.train.ranks import Ranks

WHO = ("judge", "llm", "user")
"""Who is asked: the judge, and the models that play tools and users."""


class Meter:
    """Reads ledgers. `costs` gives the sums so far by who was asked; those who are none are left
    out."""

    def __init__(self, costs: Callable[[], Mapping[str, Cost]], ranks: Ranks) -> None:
        self._costs = costs
        self._ranks = ranks
        self._before: Mapping[str, Cost] = {}

    def read(self) -> dict[str, Any]:
        """By who was asked: the cost since it was last read, by name. All ranks read together."""
        now = self._costs()
        spent = {who: cost.since(self._before.get(who, Cost())) for who, cost in now.items()}
        self._before = now
        everyone = self._ranks.together(lambda: spent) if spent else []
        return _sums(everyone)


def total(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """By who was asked: the costs that the parts of a run have under that name, together."""
    return _sums({who: Cost.from_json(part[who]) for who in WHO if who in part} for part in parts)


def _sums(parts: Iterable[Mapping[str, Cost]]) -> dict[str, Any]:
    whole: dict[str, Cost] = {}
    for part in parts:
        for who, cost in part.items():
            whole.setdefault(who, Cost()).add(cost)
    return {who: cost.to_json() for who, cost in whole.items()}
