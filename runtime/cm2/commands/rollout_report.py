"""What a run of rollouts came to, in words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cm2.commands.score_rejects import counted
from cm2.rollout.report import answers_of, masked_by, summary, task_of
from cm2.table import table

SHOWN = 10
"""Exceptions and faults that are printed, the most frequent first."""

PERFECT = 1 - 1e-9

_RAISED = re.compile(r"(.+?:\d+): (\w+)")
_WHO = {
    "tool": "a tool broke",
    "policy": "what runs the policy broke",
    "user": "what plays the user broke",
    "judge": "the judge broke",
}

Records = Sequence[Mapping[str, Any]]


def report(records: Records, seconds: float, sampled: int) -> str:
    """Rewards by task, why dialogues ended, who answered, what broke, and how fast it went.

    `sampled` tokens were sampled in `seconds`: what was there before took no time.
    """
    shown = summary(records)
    parts = [_rewards(records)]
    lines = [
        _shares("stops", Counter(one["stop"] for one in records)),
        _shares("tools", _sources(records)),
    ]
    lengths = shown["lengths"]
    if lengths["turns"] is not None:
        said = ", ".join(f"{lengths[name]:.1f} {name}" for name in ("turns", "steps", "tokens"))
        lines.append(f"a dialogue: {said}; well-formed endings {shown['well_formed']:.0%}")
    if "verdicts" in shown:
        judged = shown["verdicts"]
        rates = f"{judged['insufficient']:.1%} insufficient, {judged['errors']:.1%} errors"
        lines.append(f"verdicts of the judge: {judged['judged']}, {rates}")
    if seconds > 0:
        rate = f"{sampled / seconds:,.0f} tokens/s"
        lines.append(f"{counted(sampled, 'token')} sampled in {seconds:.1f} s: {rate}")
    parts.append("\n".join(line for line in lines if line))
    parts += [text for text in (_exceptions(records), _masked(records)) if text]
    return "\n\n".join(parts)


def _rewards(records: Records) -> str:
    """A row a task: how many rollouts, their mean reward, and how many have all of it."""
    by_task: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in records:
        by_task[task_of(one)].append(one)
    rows = [_row(name, some) for name, some in by_task.items()]
    if len(rows) > 1:
        rows.append(_row("all", records))
    head = ("task", "rollouts", "reward", "reward 1", "masked")
    return table(head, rows, right=(1, 2, 3, 4))


def _row(name: str, some: Records) -> tuple[str, ...]:
    rewards = [one["reward"] for one in some if one["reward"] is not None]
    masked = sum(masked_by(one) is not None for one in some)
    mean = f"{sum(rewards) / len(rewards):.3f}" if rewards else "–"
    whole = f"{sum(r >= PERFECT for r in rewards) / len(rewards):.0%}" if rewards else "–"
    return (name, str(len(some)), mean, whole, str(masked or ""))


def _sources(records: Records) -> Counter[str]:
    return Counter(said["source"] for one in records for said in answers_of(one))


def _shares(name: str, counts: Counter[str]) -> str:
    total = counts.total()
    said = ", ".join(f"{what} {count / total:.0%}" for what, count in counts.most_common())
    return f"{name}: {said}" if said else ""


def _exceptions(records: Records) -> str:
    """What functions of Python backends raised, by the line; the agent read it as an error."""
    raised: Counter[str] = Counter()
    for one in records:
        for said in answers_of(one):
            found = _RAISED.match(said.get("why", "")) if said["source"] == "python" else None
            if found is not None:
                raised[f"{found[1]}: {found[2]}"] += 1
    return _listed("exceptions of the spec's backends", raised)


def _masked(records: Records) -> str:
    """Which rollouts have no reward for what is no doing of the policy's, and why."""
    faults: Counter[str] = Counter()
    for one in records:
        who = masked_by(one)
        if who is not None:
            faults[one.get("fault") or _WHO[who]] += 1
    return _listed(f"{faults.total()} of {len(records)} rollouts are masked", faults)


def _listed(head: str, counts: Counter[str]) -> str:
    if not counts:
        return ""
    lines = [f"  {count:>5}  {what}" for what, count in counts.most_common(SHOWN)]
    more = len(counts) - SHOWN
    return "\n".join([f"{head}:", *lines, *([f"  and {more} more"] if more > 0 else [])])
