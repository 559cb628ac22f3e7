"""What the judge of a run costs, phase by phase, in all of its processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cm2.judge.judge import Judge
from cm2.judge.ledger import Cost
from cm2.train.ranks import Ranks


class Meter:
    """Reads a judge's ledger; without a judge there is nothing to read."""

    def __init__(self, judge: Judge | None, ranks: Ranks) -> None:
        self._judge = judge
        self._ranks = ranks
        self._before = Cost()

    def read(self) -> dict[str, Any]:
        """`judge`: the cost since it was last read, by name. All ranks read it together."""
        if self._judge is None:
            return {}
        now = self._judge.ledger.total
        cost, self._before = now.since(self._before), now
        whole = Cost()
        for one in self._ranks.together(lambda: cost):
            whole.add(one)
        return {"judge": whole.to_json()}


def total(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`judge`: the costs that the parts of a run have under that name, together; empty without."""
    costs = [Cost.from_json(part["judge"]) for part in parts if "judge" in part]
    if not costs:
        return {}
    whole = Cost()
    for cost in costs:
        whole.add(cost)
    return {"judge": whole.to_json()}
