"""What a set of played rollouts shows, as records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from cm2.chat import to_chat
from cm2.judge.judge import BY
from cm2.rollout.dialogue import well_formed
from cm2.rollout.stage import Played
from cm2.score import verdict_records
from cm2dsl.reward.verdict import Verdict


def summarise(played: Sequence[Played]) -> dict[str, Any]:
    """Means over the rollouts that are not masked.

    `reward`; `tasks`: mean reward a task; `items`: for each `task.turn.item` the share that passed
    (an item of a turn that was not reached did not); `well_formed`: the share that ended every turn
    with a reply; `stops`: how often each reason ended a dialogue; `masked`: how many were left out,
    and `masked_by` how many of them for a tool, for what runs the policy, and for the judge. Where
    a judge decided anything, `verdicts` says of all rollouts how many verdicts it gave, and which
    share of them were insufficient or errors.
    """
    kept = [one for one in played if not one.masked]
    tasks: dict[str, list[float]] = defaultdict(list)
    items: dict[str, list[bool]] = defaultdict(list)
    stops: dict[str, int] = defaultdict(int)
    for one in kept:
        task = one.scored.instance.task.name
        tasks[task].append(one.scored.reward or 0.0)
        for name, decision in one.scored.decisions.items():
            items[f"{task}.{name}"].append(decision.verdict is Verdict.PASS)
        stops[one.rollout.stop] += 1
    return {
        "reward": _mean([one.scored.reward or 0.0 for one in kept]),
        "well_formed": _mean([well_formed(one.rollout) for one in kept]),
        "tasks": {name: _mean(values) for name, values in sorted(tasks.items())},
        "items": {name: _mean(values) for name, values in sorted(items.items())},
        "stops": dict(sorted(stops.items())),
        "rollouts": len(played),
        "masked": len(played) - len(kept),
        "masked_by": _masked_by(played),
        **_verdicts(played),
    }


def _masked_by(played: Sequence[Played]) -> dict[str, int]:
    tool = sum(one.rollout.stop == "tool_failure" for one in played)
    policy = sum(one.rollout.stop == "policy_failure" for one in played)
    judge = sum(one.masked for one in played) - tool - policy
    return {"tool": tool, "policy": policy, "judge": judge}


def _verdicts(played: Sequence[Played]) -> dict[str, Any]:
    """What the judge said, errors too: what it was not asked is not counted."""
    given = Counter(
        decision.verdict
        for one in played
        for decision in one.scored.decisions.values()
        if decision.by == BY
    )
    total = given.total()
    if not total:
        return {}
    insufficient, errors = given[Verdict.INSUFFICIENT], given[Verdict.ERROR]
    rates = {
        "insufficient": round(insufficient / total, 4),
        "errors": round(errors / total, 4),
    }
    return {"verdicts": {"judged": total, **rates}}


def record(played: Played, phase: str, step: int) -> dict[str, Any]:
    """One rollout as a line of rollouts.jsonl: an OpenAI chat dialogue with what was made of it.

    `cm2 score` reads these lines.
    """
    rollout, scored = played.rollout, played.scored
    return {
        **to_chat(rollout.trajectory),
        "phase": phase,
        "step": step,
        "stop": rollout.stop,
        **({"fault": rollout.fault} if rollout.fault is not None else {}),
        "reward": scored.reward,
        "turn_rewards": scored.turn_rewards,
        "items": verdict_records(scored),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
