"""What the judge of a run costs, phase by phase."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cm2.judge.judge import Judge
from cm2.judge.ledger import Cost


class Meter:
    """Reads a judge's ledger; without a judge there is nothing to read."""

    def __init__(self, judge: Judge | None) -> None:
        self._judge = judge
        self._before = Cost()

    def read(self) -> dict[str, Any]:
        """`judge`: the cost since it was last read, by name."""
        if self._judge is None:
            return {}
        now = self._judge.ledger.total
        cost, self._before = now.since(self._before), now
        return {"judge": cost.to_json()}


def total(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`judge`: the costs that the parts of a run have under that name, together; empty without."""
    costs = [Cost.from_json(part["judge"]) for part in parts if "judge" in part]
    if not costs:
        return {}
    whole = Cost()
    for cost in costs:
        whole.add(cost)
    return {"judge": whole.to_json()}
