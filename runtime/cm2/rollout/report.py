"""What played rollouts show: each as a record, and sets of them as a summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cm2.chat import to_chat
from cm2.judge.judge import BY
from cm2.recordings import with_answers
from cm2.rollout.dialogue import well_formed
from cm2.rollout.limits import MASKS
from cm2.rollout.stage import Played
from cm2.score import verdict_records
from cm2dsl.reward.decide import Settled

Record = Mapping[str, Any]


def record(played: Played, phase: str | None = None, step: int | None = None) -> dict[str, Any]:
    """One rollout as a line of JSON: an OpenAI chat dialogue with what was made of it.

    `cm2 score` reads these lines; docs/rollout.md says what they hold. `phase` and `step` are those
    of a training run.
    """
    rollout, scored = played.rollout, played.scored
    items = verdict_records(scored)
    for name, outcome in scored.outcomes.items():
        if isinstance(outcome, Settled) and outcome.step is not None:
            items[name]["step"] = outcome.step
    return {
        **to_chat(with_answers(rollout.trajectory, rollout.answers)),
        **({} if phase is None else {"phase": phase}),
        **({} if step is None else {"step": step}),
        "stop": rollout.stop,
        **({"fault": rollout.fault} if rollout.fault is not None else {}),
        "well_formed": well_formed(rollout),
        "reward": scored.reward,
        "turn_rewards": scored.turn_rewards,
        "items": items,
        "tokens": {
            "prompt": len(rollout.prompt),
            "completion": len(rollout.completion),
            "sampled": sum(rollout.mask),
        },
    }


def tokens(played: Played) -> dict[str, Any]:
    """The tokens of a rollout: ids, and for each of the completion its log-probability, whether
    the policy sampled it (`mask`), and the [turn, step] that it was sampled in."""
    rollout = played.rollout
    return {
        "prompt_ids": rollout.prompt,
        "completion_ids": rollout.completion,
        "logprobs": rollout.logprobs,
        "mask": rollout.mask,
        "places": [None if place is None else list(place) for place in rollout.places],
    }


def summarise(played: Sequence[Played]) -> dict[str, Any]:
    """`summary` of rollouts that were just played."""
    return summary([record(one) for one in played])


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """Means over the rollouts that are not masked; docs/rollout.md has the keys.

    `reward`; `tasks`: mean reward a task; `items`: for each `task.turn.item` the share that passed
    (an item of a turn that was not reached did not), `first_pass`: the mean step, from 0 in its
    turn, at which those that passed did; `well_formed`: the share that ended every turn with a
    reply; `stops`: how often each reason ended a dialogue; `gate_rate`: the share that a strict
    item ended; `lengths`: means of the sampled tokens, steps and turns of a dialogue.

    Of all rollouts: `rollouts`; `masked`: how many were left out, and `masked_by` how many of them
    for a tool, for what runs the policy, for what plays the user, and for the judge; `sources`: the
    share of calls that each source answered. Where a judge decided anything, `verdicts` says how
    many verdicts it gave, and which share of them were insufficient or errors.
    """
    kept = [one for one in records if masked_by(one) is None]
    tasks: dict[str, list[float]] = defaultdict(list)
    items: dict[str, list[bool]] = defaultdict(list)
    first: dict[str, list[float]] = defaultdict(list)
    for one in kept:
        task = task_of(one)
        if one["reward"] is not None:
            tasks[task].append(one["reward"])
        for name, said in one["items"].items():
            passed = said["verdict"] == "pass"
            items[f"{task}.{name}"].append(passed)
            if passed and said.get("step") is not None:
                first[f"{task}.{name}"].append(said["step"])
    stops = Counter(one["stop"] for one in kept)
    return {
        "reward": _mean([one["reward"] for one in kept if one["reward"] is not None]),
        "well_formed": _mean([one["well_formed"] for one in kept]),
        "tasks": {name: _mean(values) for name, values in sorted(tasks.items())},
        "items": {name: _mean(values) for name, values in sorted(items.items())},
        "first_pass": {name: _mean(values) for name, values in sorted(first.items())},
        "gate_rate": _mean([one["stop"] == "strict" for one in kept]),
        "stops": dict(sorted(stops.items())),
        "lengths": _lengths(kept),
        "rollouts": len(records),
        "masked": len(records) - len(kept),
        "masked_by": _masked(records),
        "sources": _sources(records),
        **_verdicts(records),
    }


def answers_of(one: Record) -> Iterable[Mapping[str, str]]:
    """Who answered each call of a record, and why."""
    answers: Mapping[str, Mapping[str, str]] = one.get("answers", {})
    return answers.values()


def task_of(one: Record) -> str:
    """The task of a record, without the row."""
    return str(one["task"]).partition("/")[0]


def masked_by(one: Record) -> str | None:
    """What broke outside the policy, so that a rollout has no reward; None where nothing did.

    `tool`, `policy` (what runs it), `user` (what plays it) or `judge`. A rollout of a task without
    anything to reward has none either, and is not masked.
    """
    if one["stop"] in MASKS:
        return str(one["stop"]).removesuffix("_failure")
    broke = any(said["verdict"] == "error" for said in one["items"].values())
    return "judge" if broke and one["reward"] is None else None


def lost_tasks(records: Sequence[Record]) -> set[str]:
    """Tasks of which no rollout counts because all that were played are masked."""
    kept = {task_of(one) for one in records if masked_by(one) is None}
    return {task_of(one) for one in records} - kept


def _masked(records: Sequence[Record]) -> dict[str, int]:
    found = Counter(masked_by(one) for one in records)
    return {who: found[who] for who in ("tool", "policy", "user", "judge")}


def _sources(records: Sequence[Record]) -> dict[str, float]:
    found = Counter(said["source"] for one in records for said in answers_of(one))
    total = found.total()
    return {name: round(count / total, 4) for name, count in sorted(found.items())}


def _lengths(records: Sequence[Record]) -> dict[str, float | None]:
    roles = [Counter(message["role"] for message in one["messages"]) for one in records]
    return {
        "tokens": _mean([one["tokens"]["sampled"] for one in records]),
        "steps": _mean([role["assistant"] for role in roles]),
        "turns": _mean([_turns(one) for one in records]),
    }


def _turns(one: Record) -> int:
    """User messages, those that only call tools of the user's own aside."""
    said = (message for message in one["messages"] if message["role"] == "user")
    return sum("tool_calls" not in message for message in said)


def _verdicts(records: Sequence[Record]) -> dict[str, Any]:
    """What the judge said, errors too: what it was not asked is not counted."""
    given = Counter(
        said["verdict"] for one in records for said in one["items"].values() if said["by"] == BY
    )
    total = given.total()
    if not total:
        return {}
    rates = {
        "insufficient": round(given["insufficient"] / total, 4),
        "errors": round(given["error"] / total, 4),
    }
    return {"verdicts": {"judged": total, **rates}}


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
